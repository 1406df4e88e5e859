//! What a job may do to its container.

use crate::model::RunnerSpec;

/// Keeps setuid programs (sudo, su, mount) from raising a job's rights.
const NO_NEW_PRIVILEGES: &str = "no-new-privileges";

/// Capabilities that every runner keeps of the engine's default fourteen. They matter only to processes of root (or of a
/// job that may call sudo); the official image's user has none anyway.
///
/// - `CHOWN`, `DAC_OVERRIDE`, `FOWNER`, `FSETID`: root unpacks archives and cleans up files of other users, as package
///   managers and `rm -rf` of a workspace do.
/// - `SETUID`, `SETGID`: root steps down to another user, as `apt` does for its downloads and databases for themselves.
/// - `KILL`: root ends what it started under another user.
///
/// Left out: `NET_RAW` (forged packets between containers), `MKNOD`, `SETFCAP`, `SETPCAP`, `SYS_CHROOT` (no build step of
/// a usual job), `AUDIT_WRITE` (only sudo and login write audit records) and `NET_BIND_SERVICE` (the engine opens low ports
/// inside a container by sysctl since 20.10; with the host's network it would open the host's).
const KEPT: [&str; 7] = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"];

/// What `sudo` needs beyond: where the kernel audits, it gives up if it cannot write its record.
const KEPT_FOR_SUDO: &str = "AUDIT_WRITE";

/// How willing the kernel is to kill a job for memory before the host's own daemons, which stand at 0 or below
/// (`/proc/PID/oom_score_adj` goes to 1000; half of that leaves a job's own choice room).
pub(super) const OOM_SCORE_ADJ: i64 = 500;

/// Dropped and added capabilities, and the security options.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Security {
    pub(super) cap_drop: Option<Vec<String>>,
    pub(super) cap_add: Option<Vec<String>>,
    pub(super) options: Option<Vec<String>>,
    pub(super) privileged: Option<bool>,
}

/// The safe defaults, and the holes that the file opens.
pub(super) fn of(spec: &RunnerSpec) -> Security {
    if spec.privileged {
        // The engine ignores capabilities here, and no-new-privileges would be no wall beside all of the host's rights.
        return Security { privileged: Some(true), ..Security::default() };
    }
    let mut kept: Vec<String> = KEPT.iter().map(|&name| name.to_owned()).collect();
    if spec.sudo {
        kept.push(KEPT_FOR_SUDO.to_owned());
    }
    kept.extend(spec.cap_add.iter().map(|capability| capability.0.clone()));
    kept.sort();
    kept.dedup();
    Security {
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(kept),
        options: (!spec.sudo).then(|| vec![NO_NEW_PRIVILEGES.to_owned()]),
        privileged: None,
    }
}
