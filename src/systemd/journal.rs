//! Whether standard error leads to the journal, and how to speak to it.
//!
//! Fields of events and spans become the journal's by their names in capitals: `pool`, `runner`, `repo`, `job`, `pass`
//! and `error` are `POOL`, `RUNNER`, `REPO`, `JOB`, `PASS` and `ERROR`, so that
//! `journalctl -u ghrunner POOL=build` finds what concerns one pool (systemd.journal-fields(7): names of services'
//! own choosing are upper-case letters, digits and underscores).

use std::env;
use std::os::fd::AsFd;

use tracing_journald::Priority;
use tracing_journald::PriorityMappings;

/// Whether standard error is the journal's stream: systemd sets `$JOURNAL_STREAM` to its device and inode
/// (systemd.exec(5)), and warns that it is inherited by processes whose own standard error leads elsewhere.
pub(super) fn is_connected() -> bool {
    let Ok(expected) = env::var("JOURNAL_STREAM") else { return false };
    nix::sys::stat::fstat(std::io::stderr().as_fd())
        .is_ok_and(|stat| same_stream(&expected, stat.st_dev, stat.st_ino))
}

fn same_stream(expected: &str, device: u64, inode: u64) -> bool {
    expected.split_once(':').is_some_and(|(d, i)| d.parse() == Ok(device) && i.parse() == Ok(inode))
}

/// The journal's layer, or why journald cannot be spoken to.
pub(super) fn layer() -> std::io::Result<tracing_journald::Layer> {
    Ok(tracing_journald::layer()?
        .with_syslog_identifier("ghrunner".to_owned())
        .with_field_prefix(None)
        // The crate's own mapping makes INFO a "notice", which terminals show in bold: here that is everyday news.
        .with_priority_mappings(PriorityMappings {
            info: Priority::Informational,
            debug: Priority::Debug,
            ..PriorityMappings::new()
        }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_journals_only_if_both_numbers_match() {
        assert!(same_stream("8:4711", 8, 4711));
        assert!(!same_stream("8:4711", 8, 4712));
        assert!(!same_stream("9:4711", 8, 4711));
        assert!(!same_stream("", 0, 0));
    }
}
