//! What the things of a runner are called at the engine. Names are the lock: each follows from pool and slot alone.

use crate::model::PoolName;

use super::Admission;
use super::NewRunner;

/// Where the official runner image lives inside its container.
pub(super) const RUNNER_HOME: &str = "/home/runner";

/// The container: the slot's own, or, for a trial of the image, one beside it.
pub(super) fn container(new: &NewRunner) -> String {
    let slot = new.plan.pool.container_name(new.plan.slot);
    match new.admission {
        Admission::Nothing => format!("{slot}-canary"),
        Admission::Jit(_) | Admission::Token { .. } => slot,
    }
}

/// The inner engine beside a runner's container.
pub(super) fn sidecar(container: &str) -> String {
    format!("{container}-dind")
}

/// The runner's container that a sidecar was made for.
pub(super) fn beside(sidecar: &str) -> &str {
    sidecar.strip_suffix("-dind").unwrap_or(sidecar)
}

/// A pool's network.
pub(super) fn network(pool: &PoolName) -> String {
    pool.network_name()
}

/// A pool's systemd slice. A dash in a slice's name would nest it (systemd.slice(5)), so the pool's own become `_`.
pub(super) fn slice(pool: &PoolName) -> String {
    format!("ghrunner-{}.slice", pool.as_str().replace('-', "_"))
}

/// A folder of the runner inside its container: relative ones lie below its home.
pub(super) fn in_home(folder: &str) -> String {
    if folder.starts_with('/') { folder.to_owned() } else { format!("{RUNNER_HOME}/{folder}") }
}

/// What the volumes of a slot are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotVolume {
    /// Where jobs work; the same path on both sides.
    Work,
    /// The runner's node and tools, which job containers mount; filled from the runner's image.
    Externals,
    /// The inner engine's socket.
    Socket,
    /// What the inner engine stores.
    Storage,
}

impl SlotVolume {
    pub(super) const ALL: [Self; 4] = [Self::Work, Self::Externals, Self::Socket, Self::Storage];

    /// Its name.
    pub(super) fn name(self, container: &str) -> String {
        let what = match self {
            Self::Work => "work",
            Self::Externals => "externals",
            Self::Socket => "sock",
            Self::Storage => "storage",
        };
        format!("{container}-{what}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_never_nests_by_its_pools_dashes() {
        assert_eq!(slice(&PoolName::parse("build-arm-2").unwrap()), "ghrunner-build_arm_2.slice");
    }

    #[test]
    fn a_sidecar_knows_whom_it_stands_beside() {
        assert_eq!(beside(&sidecar("ghrunner-build-0")), "ghrunner-build-0");
    }

    #[test]
    fn folders_are_below_the_home_unless_absolute() {
        assert_eq!(in_home("_work"), "/home/runner/_work");
        assert_eq!(in_home("/data/work"), "/data/work");
    }
}
