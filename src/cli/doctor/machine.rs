//! Judging this machine: the engine, its images and disk, the socket, the daemon.

use std::time::Duration;

use super::DaemonFacts;
use super::Facts;
use super::Finding;
use super::ImageFacts;
use super::SocketFacts;
use crate::cli::text::ago;
use crate::engine::EngineInfo;
use crate::http::dto;
use crate::model::PullPolicy;
use crate::model::Size;

/// A daemon makes a pass at least every minute; this much later something hangs.
const PASS_OVERDUE: Duration = Duration::from_secs(300);

pub(super) fn engine(facts: &Facts, findings: &mut Vec<Finding>) {
    let info = match &facts.engine {
        None => return,
        Some(Err(error)) => {
            let advice = "is it running (`systemctl status docker`)? may this user open its socket (as root, or in the \
                          group docker)? is [engine] endpoint right?";
            return findings.push(Finding::fail("engine", error.to_string(), advice));
        }
        Some(Ok(info)) => info,
    };
    let found =
        format!("{} {} (API {}), {}", info.product, info.version, info.api_version, info.storage_driver);
    findings.push(Finding::ok("engine", found));
    findings.push(cgroups(info));
    findings.push(disk(info, facts.reserve_disk));
    for (pool, runtime) in &facts.runtimes {
        let about = format!("pool {pool}");
        findings.push(if info.runtimes.contains(runtime) {
            Finding::ok(about, format!("the engine has the runtime {runtime}"))
        } else {
            let found = format!("the engine has no runtime {runtime}, only {}", info.runtimes.join(", "));
            let advice =
                format!("install {runtime} and name it under \"runtimes\" in /etc/docker/daemon.json");
            Finding::fail(about, found, advice)
        });
    }
    findings.extend(facts.images.iter().map(image));
}

fn cgroups(info: &EngineInfo) -> Finding {
    if info.cgroup_driver == "systemd" {
        return Finding::ok("cgroups", "the engine puts containers into systemd's slices");
    }
    let found =
        format!("the engine's cgroup driver is {}: runners are in no systemd slice", info.cgroup_driver);
    let advice = "limits of each runner hold all the same; for `systemd-cgtop` by pool set \
                  \"exec-opts\": [\"native.cgroupdriver=systemd\"] in /etc/docker/daemon.json";
    Finding::warn("cgroups", found, advice)
}

fn disk(info: &EngineInfo, reserve: Size) -> Finding {
    let place = info.root_dir.as_deref().unwrap_or("the engine's place");
    let Some(free) = info.disk_free else {
        let found = format!("cannot see how much is free at {place}");
        return Finding::warn("disk", found, "run `ghrunner doctor` as root on the engine's own host");
    };
    let found = format!("{free} free at {place}, host.reserve.disk is {reserve}");
    let advice = "no runner is started below the reserve: `docker system df` shows what takes the space, \
                  `docker system prune` frees what nothing uses";
    if free < reserve {
        Finding::fail("disk", found, advice)
    } else if free.0 / 2 < reserve.0 {
        Finding::warn("disk", found, advice)
    } else {
        Finding::ok("disk", found)
    }
}

fn image(image: &ImageFacts) -> Finding {
    let pools: Vec<&str> = image.pools.iter().map(|p| p.as_str()).collect();
    let about = format!("image of {}", pools.join(", "));
    let reference = &image.reference;
    match (&image.present, image.pull) {
        (Ok(true), _) => Finding::ok(about, format!("{reference} is there")),
        (Ok(false), PullPolicy::Never) => {
            let found = format!("{reference} is not there, and pull = \"never\"");
            Finding::fail(about, found, format!("`docker pull {reference}`, load it, or change pull"))
        }
        (Ok(false), _) => {
            let found = format!("{reference} is not there yet; the first start waits for its pull");
            let first = pools.first().copied().unwrap_or("POOL");
            Finding::warn(about, found, format!("`ghrunner verify {first}` pulls and tries it now"))
        }
        (Err(error), _) => {
            Finding::fail(about, format!("{reference}: {error}"), "see the engine's line above")
        }
    }
}

pub(super) fn socket(socket: &SocketFacts, findings: &mut Vec<Finding>) {
    let Some((mode, group)) = &socket.file else { return };
    let path = &socket.path;
    let found = format!("{path} has mode {mode:04o} and group {group}");
    match &socket.readers {
        Some((name, false)) => {
            let advice =
                format!("`groupadd --system {name}`, or another [api] read_group, and restart the daemon");
            findings.push(Finding::warn(
                "socket",
                format!("there is no group {name}: nobody may only look"),
                advice,
            ));
        }
        // All may connect, and the daemon looks at each.
        Some((name, true)) => {
            return findings.push(Finding::ok("socket", format!("{found}; {name} may look")));
        }
        None => {}
    }
    if mode & 0o007 != 0 {
        let advice = format!("`chmod 0660 {path}`; who is no operator is refused all the same");
        findings.push(Finding::warn("socket", found, advice));
    } else {
        findings.push(Finding::ok("socket", found));
    }
}

pub(super) fn daemon(facts: &Facts, findings: &mut Vec<Finding>) {
    match &facts.daemon {
        DaemonFacts::Running(status) => running(facts, status, findings),
        DaemonFacts::NotRunning => findings.push(Finding::warn(
            "daemon",
            format!("not running: nothing answers at {}", facts.socket.path),
            "`systemctl enable --now ghrunner`, then `systemctl status ghrunner`",
        )),
        DaemonFacts::NotAsked { why } => findings.push(Finding::warn(
            "daemon",
            format!("could not be asked: {why}"),
            "run `ghrunner doctor` as root",
        )),
    }
}

fn running(facts: &Facts, status: &dto::Status, findings: &mut Vec<Finding>) {
    let passed = ago(facts.now, status.as_of);
    if facts.now.since(status.as_of.0) > PASS_OVERDUE {
        let found = format!("running, but its last pass ended {passed}");
        findings.push(Finding::fail("daemon", found, "`journalctl -u ghrunner -e` says what it waits for"));
    } else {
        findings.push(Finding::ok("daemon", format!("running, last pass {passed}: {}", status.status)));
    }
    if status.version != facts.version {
        let found = format!("runs version {}, this command is {}", status.version, facts.version);
        let advice = "`systemctl restart ghrunner`; runners go on meanwhile";
        findings.push(Finding::warn("daemon", found, advice));
    }
    if status.config.error.is_some() {
        let found = "runs an older configuration: it refused the file as it is now";
        findings.push(Finding::fail(
            "daemon",
            found,
            "mend the file (`ghrunner check`); saving it is enough",
        ));
    }
    if !status.config.needs_restart.is_empty() {
        let found = format!("changed and waiting for a restart: {}", status.config.needs_restart.join(", "));
        findings.push(Finding::warn(
            "daemon",
            found,
            "`systemctl restart ghrunner`; runners go on meanwhile",
        ));
    }
}
