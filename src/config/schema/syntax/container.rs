//! Forms of what a container is made of: users, volumes, networks, capabilities, addresses.

use std::net::IpAddr;

use super::super::Syntax;
use super::is_word;
use super::printable;
use super::require;
use crate::config::nearest::nearest;
use crate::model::VolumeMount;

pub(crate) static ANY: Syntax = Syntax { what: "a text", check: printable };
pub(crate) static ARGUMENT: Syntax = Syntax {
    what: "a text",
    check: |text| require(!text.contains('\0'), || "a command's word may not hold a NUL".to_owned()),
};
pub(crate) static USER: Syntax = Syntax {
    what: "a user such as \"runner\" or \"1001:1001\"",
    check: |text| {
        let parts: Vec<_> = text.split(':').collect();
        require(parts.len() <= 2 && parts.iter().all(|p| is_word(p, b"-_.")), || {
            format!("{text:?} is no user; write NAME, UID or UID:GID")
        })
    },
};
pub(crate) static WORK_FOLDER: Syntax = Syntax {
    what: "a folder such as \"_work\"",
    check: |text| {
        printable(text)?;
        require(!text.is_empty() && text.split('/').all(|part| part != ".."), || {
            format!("{text:?} is no folder in the container; write a name such as \"_work\", without ..")
        })
    },
};
pub(crate) static CAPABILITY: Syntax =
    Syntax { what: "a capability such as \"NET_ADMIN\"", check: capability };
pub(crate) static NETWORK: Syntax = Syntax {
    what: "\"pool\", \"host\", \"none\" or a network's name",
    check: |text| {
        require(is_word(text, b"-_.") && text.as_bytes()[0].is_ascii_alphanumeric(), || {
            format!(
                "{text:?} is no network's name; write \"pool\", \"host\", \"none\" or a name that `docker network ls` shows"
            )
        })
    },
};
pub(crate) static VOLUME: Syntax = Syntax {
    what: "a volume such as \"/srv/cache:/cache\" or \"name:/path:ro\"",
    check: |text| volume(text).map(drop),
};
pub(crate) static CGROUP: Syntax = Syntax {
    what: "a slice such as \"ci.slice\" or a path such as \"/ci\"",
    check: |text| {
        let fine = is_word(text.trim_start_matches('/'), b"-_./") && !text.contains("..");
        require(fine && (text.ends_with(".slice") || text.starts_with('/')), || {
            format!("{text:?} is neither a systemd slice (\"ci.slice\") nor a cgroup's path (\"/ci\")")
        })
    },
};
pub(crate) static RUNTIME: Syntax = Syntax { what: "a runtime such as \"runsc\"", check: word };
pub(crate) static LOG_DRIVER: Syntax =
    Syntax { what: "\"auto\" or a log driver such as \"journald\"", check: word };
pub(crate) static EXTRA_HOST: Syntax =
    Syntax { what: "a host and its address such as \"git.example:10.0.0.5\"", check: extra_host };
pub(crate) static DNS: Syntax = Syntax {
    what: "an address such as \"10.0.0.53\"",
    check: |text| {
        require(text.parse::<IpAddr>().is_ok(), || format!("{text:?} is no IP address of a name server"))
    },
};

/// What Linux calls capabilities, without `CAP_`; and `ALL`.
const CAPABILITIES: [&str; 42] = [
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

/// `cap_net_admin` as `NET_ADMIN`.
pub(crate) fn capability_name(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    upper.strip_prefix("CAP_").unwrap_or(&upper).to_owned()
}

fn capability(text: &str) -> Result<(), String> {
    let name = capability_name(text);
    if CAPABILITIES.contains(&name.as_str()) {
        return Ok(());
    }
    let hint = nearest(&name, CAPABILITIES).map(|n| format!("; did you mean {n:?}?")).unwrap_or_default();
    Err(format!("there is no capability {text:?}{hint}"))
}

fn word(text: &str) -> Result<(), String> {
    require(is_word(text, b"-_./"), || {
        format!("{text:?} holds a character that does not belong in such a name")
    })
}

/// Reads a mount as `docker run --volume` takes it.
pub(crate) fn volume(text: &str) -> Result<VolumeMount, String> {
    printable(text)?;
    let parts: Vec<_> = text.split(':').collect();
    let (source, target, read_only) = match parts.as_slice() {
        [source, target] | [source, target, "rw"] => (*source, *target, false),
        [source, target, "ro"] => (*source, *target, true),
        [_, _, mode] => return Err(format!("{text:?} ends with {mode:?}; only \"ro\" and \"rw\" are known")),
        _ => return Err(format!("{text:?} is no volume; write \"/host/path:/path\" or \"name:/path:ro\"")),
    };
    if !target.starts_with('/') || target == "/" {
        return Err(format!("{target:?} must be an absolute path in the container, and not its root"));
    }
    let named = is_word(source, b"-_.") && source.as_bytes()[0].is_ascii_alphanumeric();
    if !source.starts_with('/') && !named {
        return Err(format!("{source:?} is neither an absolute path of the host nor a volume's name"));
    }
    Ok(VolumeMount { source: source.to_owned(), target: target.to_owned(), read_only })
}

fn extra_host(text: &str) -> Result<(), String> {
    let fail = || format!("{text:?} is no \"host:address\"");
    let (host, address) = text.split_once(':').ok_or_else(fail)?;
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let known = address == "host-gateway" || address.parse::<IpAddr>().is_ok();
    require(is_word(host, b"-._") && known, fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_paths_or_names() {
        let mount = volume("cache:/cache:ro").unwrap();
        assert_eq!(
            (mount.source.as_str(), mount.target.as_str(), mount.read_only),
            ("cache", "/cache", true)
        );
        for bad in ["", "a", "a:b", "/a:/", "./a:/b", "/a:/b:z", ":/b", "/a:/b:ro:x"] {
            assert!(volume(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn capabilities_may_be_written_in_any_way() {
        assert_eq!(capability("cap_net_admin"), Ok(()));
        assert!(capability("NET_ADMN").is_err_and(|e| e.contains("NET_ADMIN")));
    }
}
