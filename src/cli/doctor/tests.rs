//! Each way in which something may be wrong, as facts, and the line that comes of it.

use super::*;
use crate::engine::EngineError;
use crate::engine::EngineInfo;
use crate::github::Access;
use crate::github::GitHubError;
use crate::model::CredentialName;
use crate::model::GroupName;
use crate::model::PoolName;
use crate::model::PullPolicy;
use crate::model::Scope;
use crate::model::Size;
use crate::model::Time;

fn pool() -> PoolName {
    PoolName::parse("build").unwrap()
}

fn good() -> Facts {
    Facts {
        now: Time::from_secs(1_700_000_000),
        version: "0.1.0".to_owned(),
        config: ConfigFacts { path: "pools.toml".to_owned(), pools: 1, ..ConfigFacts::default() },
        secrets: vec![SecretFacts { credential: "default".to_owned(), outcome: Ok(None) }],
        scopes: vec![ScopeFacts {
            pool: pool(),
            credential: "default".to_owned(),
            scope: Scope::organization("acme").unwrap(),
            group: Some(GroupName::new("ci")),
            access: Access {
                list: Ok(()),
                group: Some(Ok(3)),
                clock_skew_ms: Some(120),
                expires: Some("2024-05-01 10:00:00 UTC".to_owned()),
                classic_scopes: Some("repo, admin:org".to_owned()),
            },
        }],
        demand: Vec::new(),
        engine: Some(Ok(EngineInfo {
            product: "Docker".to_owned(),
            version: "20.10.24".to_owned(),
            api_version: "1.41".to_owned(),
            cpus: Some(2.0),
            memory: None,
            root_dir: Some("/var/lib/docker".to_owned()),
            disk_free: Some(Size(100 << 30)),
            storage_driver: "overlay2".to_owned(),
            cgroup_driver: "systemd".to_owned(),
            runtimes: vec!["runc".to_owned()],
        })),
        reserve_disk: Size(10 << 30),
        images: vec![ImageFacts {
            reference: "runner:1".to_owned(),
            pools: vec![pool()],
            pull: PullPolicy::Missing,
            present: Ok(true),
        }],
        runtimes: Vec::new(),
        socket: SocketFacts {
            path: "/run/s".to_owned(),
            file: Some((0o660, "ghrunner".to_owned())),
            readers: None,
        },
        daemon: DaemonFacts::NotRunning,
    }
}

/// The only lines that are not `ok`, the missing daemon aside, as `level about: found -> advice`.
fn wrong(change: impl FnOnce(&mut Facts)) -> String {
    let mut facts = good();
    change(&mut facts);
    let bad = judge(&facts).into_iter().filter(|f| f.level != Level::Ok && f.about != "daemon");
    let line =
        |f: Finding| format!("{:?} {}: {} -> {}", f.level, f.about, f.found, f.advice.unwrap_or_default());
    bad.map(line).collect::<Vec<_>>().join("\n")
}

fn says(line: &str, parts: &[&str]) {
    assert_eq!(line.lines().count(), 1, "one finding: {line}");
    for part in parts {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[test]
fn a_good_machine_has_nothing_wrong_but_a_stopped_daemon() {
    assert_eq!(wrong(|_| {}), "");
    let daemon: Vec<Finding> = judge(&good()).into_iter().filter(|f| f.level == Level::Warn).collect();
    assert!(daemon[0].advice.as_ref().unwrap().contains("systemctl enable --now ghrunner"));
}

#[test]
fn a_token_is_judged_by_its_end_and_its_rights() {
    says(
        &wrong(|f| f.scopes[0].access.expires = Some("2023-11-16 10:00:00 UTC".to_owned())),
        &["Warn token default: expires in 1day 11h", "make a new token"],
    );
    says(
        &wrong(|f| f.scopes[0].access.expires = Some("2023-11-01 10:00:00 +0100".to_owned())),
        &["Fail token default: expired 2023-11-01"],
    );
    says(
        &wrong(|f| f.scopes[0].access.classic_scopes = Some("repo, read:org".to_owned())),
        &["Fail pool build", "without admin:org", "Self-hosted runners"],
    );
    says(
        &wrong(|f| {
            f.scopes[0].access.list = Err(GitHubError::Forbidden {
                credential: CredentialName::default_name(),
                call: "list runners of orgs/acme".to_owned(),
                message: "Resource not accessible".to_owned(),
            });
        }),
        &["Fail pool build: credential default may not list", "Self-hosted runners"],
    );
    says(
        &wrong(|f| {
            f.scopes[0].access.group = Some(Err(GitHubError::NotFound {
                credential: CredentialName::default_name(),
                what: "runner group ci in acme".to_owned(),
                needs: None,
            }));
        }),
        &["Fail pool build: runner group ci", "make a runner group named ci"],
    );
    let rejected = || GitHubError::Rejected {
        credential: CredentialName::default_name(),
        call: "list the runner groups of orgs/acme".to_owned(),
        message: "Bad credentials".to_owned(),
    };
    says(
        &wrong(|f| f.scopes[0].access.group = Some(Err(rejected()))),
        &["Fail pool build: runner group ci: GitHub rejects", "put a good one in its place"],
    );
    let both = |f: &mut Facts| {
        (f.scopes[0].access.list, f.scopes[0].access.group) = (Err(rejected()), Some(Err(rejected())));
    };
    says(&wrong(both), &["Fail pool build: GitHub rejects credential default"]);
    says(
        &wrong(|f| {
            f.scopes[0].access.classic_scopes = Some("repo".to_owned());
            f.scopes[0].access.list = Err(GitHubError::NotFound {
                credential: CredentialName::default_name(),
                what: "organization acme".to_owned(),
                needs: None,
            });
        }),
        &[
            "Fail pool build: GitHub knows no organization acme",
            "is acme written rightly?",
            "without admin:org",
        ],
    );
}

#[test]
fn what_keeps_jobs_from_being_heard_of_is_told() {
    let not_found = || GitHubError::NotFound {
        credential: CredentialName::default_name(),
        what: "runs in acme/app".to_owned(),
        needs: None,
    };
    let queues = |repos, queue| Heard::Queues { whose: "what the group admits".to_owned(), repos, queue };
    let with = |source| wrong(|f| f.demand = vec![DemandFacts { pool: pool(), source }]);
    let app = || vec!["acme/app".parse().unwrap()];
    assert_eq!(with(queues(Ok(app()), Ok(()))), "");
    let found = with(queues(Ok(app()), Err(not_found())));
    says(&found, &["Fail pool build", "acme/app", "\"Actions\" read"]);
    says(&with(queues(Err(not_found()), Ok(()))), &["Fail pool build: what the group admits: ", "repo"]);
    says(&with(queues(Ok(vec![]), Ok(()))), &["Warn pool build: what the group admits: none", "public"]);
    let deliveries = |list| Heard::Deliveries {
        url: "https://ci.example/webhook".to_owned(),
        scope: Scope::organization("acme").unwrap(),
        list,
    };
    assert_eq!(with(deliveries(Ok(()))), "");
    says(
        &with(deliveries(Err(not_found()))),
        &["Warn pool build: deliveries to https://ci.example/webhook", "admin:org_hook"],
    );
}

#[test]
fn a_clock_that_is_off_is_told_with_its_side() {
    says(
        &wrong(|f| f.scopes[0].access.clock_skew_ms = Some(45_000)),
        &["Warn clock", "45s behind", "set-ntp"],
    );
    says(&wrong(|f| f.scopes[0].access.clock_skew_ms = Some(-90_000)), &["Fail clock", "1m ahead of"]);
}

#[test]
fn the_engine_is_judged_with_its_disk_images_and_runtimes() {
    says(
        &wrong(|f| {
            f.engine = Some(Err(EngineError::Unreachable {
                endpoint: "unix:///run/docker.sock".to_owned(),
                why: "no such file".to_owned(),
            }));
        }),
        &["Fail engine", "systemctl status docker"],
    );
    says(&wrong(|f| f.reserve_disk = Size(200 << 30)), &["Fail disk: 100GiB free", "docker system df"]);
    says(&wrong(|f| f.reserve_disk = Size(60 << 30)), &["Warn disk"]);
    says(&wrong(|f| f.images[0].present = Ok(false)), &["Warn image of build", "ghrunner verify build"]);
    let absent = |f: &mut Facts| (f.images[0].present, f.images[0].pull) = (Ok(false), PullPolicy::Never);
    says(&wrong(absent), &["Fail image of build", "docker pull runner:1"]);
    says(
        &wrong(|f| f.runtimes = vec![(pool(), "runsc".to_owned())]),
        &["Fail pool build: the engine has no runtime runsc, only runc", "daemon.json"],
    );
}

#[test]
fn file_secret_and_socket_are_judged() {
    says(
        &wrong(|f| f.config.errors = vec!["p:1:1: no".to_owned()]),
        &["Fail config: p:1:1: no", "ghrunner check"],
    );
    says(&wrong(|f| f.secrets[0].outcome = Err("gone".to_owned())), &["Fail secret default: gone"]);
    says(&wrong(|f| f.secrets[0].outcome = Ok(Some("open".to_owned()))), &["Warn secret default: open"]);
    says(
        &wrong(|f| f.socket.file = Some((0o666, "root".to_owned()))),
        &["Warn socket: /run/s has mode 0666", "chmod 0660"],
    );
    says(
        &wrong(|f| f.socket.readers = Some(("monitoring".to_owned(), false))),
        &["Warn socket: there is no group monitoring", "groupadd"],
    );
    let mut open = good();
    open.socket = SocketFacts {
        file: Some((0o666, "ghrunner".to_owned())),
        readers: Some(("monitoring".to_owned(), true)),
        ..open.socket
    };
    let findings = judge(&open);
    let socket = findings.iter().find(|f| f.about == "socket").unwrap();
    assert_eq!(socket.level, judge(&good()).iter().find(|f| f.about == "socket").unwrap().level);
    assert!(socket.found.contains("monitoring may look"), "{}", socket.found);
}

#[test]
fn the_lines_stand_in_columns_and_are_counted() {
    let printer = Printer::to(std::io::sink(), std::io::sink(), 80);
    let text = render(&judge(&good()), &printer);
    let column = |part: &str| text.lines().find_map(|line| line.find(part));
    assert_eq!(column("Docker 20.10.24"), column("runner:1 is there"), "{text}");
    assert!(text.ends_with("1 warn, 0 fail"), "{text}");
}
