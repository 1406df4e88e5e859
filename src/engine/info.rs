//! What the engine is, and what its host can do.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bollard::models::SystemInfo;
use bollard::models::SystemVersion;

use crate::model::Size;

use super::EngineError;
use super::EngineInfo;
use super::body::HostFacts;
use super::body::HostSocket;
use super::link::LOOK;
use super::link::Link;

/// Asks the engine about itself.
pub(super) async fn ask(link: &Link) -> Result<EngineInfo, EngineError> {
    let version = link.call("tell its version", LOOK, async |session| session.docker.version().await).await?;
    let told = link.call("describe itself", LOOK, async |session| session.docker.info().await).await?;
    let api_version = link.session().await?.docker.client_version().to_string();
    let mut runtimes: Vec<String> = told.runtimes.unwrap_or_default().into_keys().collect();
    runtimes.sort();
    Ok(EngineInfo {
        product: if is_podman(&version) { "Podman" } else { "Docker" }.to_owned(),
        version: version.version.unwrap_or_default(),
        api_version,
        cpus: told.ncpu.map(|n| f64::from(i32::try_from(n).unwrap_or(i32::MAX))),
        memory: told.mem_total.and_then(|n| u64::try_from(n).ok()).map(Size),
        disk_free: told.docker_root_dir.as_deref().and_then(disk_free),
        root_dir: told.docker_root_dir,
        storage_driver: told.driver.unwrap_or_default(),
        cgroup_driver: told.cgroup_driver.map(|driver| driver.to_string()).unwrap_or_default(),
        runtimes,
    })
}

/// Podman names itself among the components of its version.
pub(super) fn is_podman(version: &SystemVersion) -> bool {
    let mut components = version.components.iter().flatten();
    components.any(|component| component.name.to_ascii_lowercase().contains("podman"))
}

/// What unprivileged processes may still write, where this process sees the directory at all.
fn disk_free(root: &str) -> Option<Size> {
    let stat = nix::sys::statvfs::statvfs(root).ok()?;
    Some(Size(stat.blocks_available().saturating_mul(stat.fragment_size())))
}

/// What bodies depend on.
pub(super) fn facts(told: &SystemInfo, endpoint: &str, journal_socket: &Path) -> HostFacts {
    let drivers = told.plugins.as_ref().and_then(|plugins| plugins.log.as_deref()).unwrap_or_default();
    HostFacts {
        systemd_cgroups: told.cgroup_driver.is_some_and(|driver| driver.to_string() == "systemd"),
        disk_limit: can_limit_disk(told),
        journal: drivers.iter().any(|driver| driver == "journald") && journal_socket.exists(),
        default_log_driver: told.logging_driver.clone().unwrap_or_default(),
        socket: host_socket(endpoint),
    }
}

/// Whether `StorageOpt.size` may work: `overlay2` needs xfs (and its `pquota` mount option, which only a try tells).
fn can_limit_disk(told: &SystemInfo) -> bool {
    let status = |key: &str| {
        let rows = told.driver_status.iter().flatten();
        rows.filter(|row| row.first().is_some_and(|name| name == key)).find_map(|row| row.get(1))
    };
    match told.driver.as_deref() {
        Some("btrfs" | "zfs" | "devicemapper") => true,
        Some("overlay2" | "overlay") => status("Backing Filesystem").is_some_and(|fs| fs == "xfs"),
        _ => false,
    }
}

fn host_socket(endpoint: &str) -> Option<HostSocket> {
    let path = endpoint.strip_prefix("unix://")?;
    let gid = std::fs::metadata(path).ok().map(|meta| meta.gid());
    Some(HostSocket { path: path.to_owned(), gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_storage_can_limit_a_container() {
        let told = |driver: &str, fs: &str| SystemInfo {
            driver: Some(driver.to_owned()),
            driver_status: Some(vec![vec!["Backing Filesystem".to_owned(), fs.to_owned()]]),
            ..Default::default()
        };
        assert!(can_limit_disk(&told("overlay2", "xfs")));
        assert!(can_limit_disk(&told("btrfs", "")));
        assert!(!can_limit_disk(&told("overlay2", "extfs")));
        assert!(!can_limit_disk(&told("fuse-overlayfs", "")));
    }

    #[test]
    fn the_journal_needs_driver_and_socket() {
        let told = SystemInfo {
            plugins: Some(bollard::models::PluginsInfo {
                log: Some(vec!["json-file".to_owned(), "journald".to_owned()]),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert!(facts(&told, "tcp://x", Path::new("/proc/self")).journal);
        assert!(!facts(&told, "tcp://x", Path::new("/nonexistent")).journal);
        assert!(!facts(&SystemInfo::default(), "tcp://x", Path::new("/proc/self")).journal);
    }
}
