//! The operator's scripts as a package puts them: beside each other in one folder, called through links in another, with a
//! command on the PATH that only writes down what it is asked.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

const SCRIPTS: [&str; 6] = ["start", "stop", "status", "org-status", "rollback", "emergency-stop"];

/// An installation in a folder of its own.
struct Installed {
    dir: tempfile::TempDir,
}

impl Installed {
    /// With a `ghrunner` that ends with the code of the first pattern that its arguments fit, else with 0.
    fn new(codes: &[(&str, i32)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for folder in ["libexec", "sbin", "bin"] {
            fs::create_dir(at(folder)).unwrap();
        }
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        fs::copy(scripts.join("operator.sh"), at("libexec/operator.sh")).unwrap();
        for name in SCRIPTS {
            fs::copy(scripts.join(format!("{name}.sh")), at(&format!("libexec/{name}.sh"))).unwrap();
            symlink(format!("../libexec/{name}.sh"), at(&format!("sbin/ghrunner-{name}"))).unwrap();
        }
        let cases: String =
            codes.iter().map(|(pattern, code)| format!("\"{pattern}\") exit {code} ;;\n")).collect();
        let log = at("asked");
        let text = format!("#!/bin/sh\necho \"$*\" >>'{}'\ncase \"$*\" in\n{cases}esac\n", log.display());
        fs::write(at("bin/ghrunner"), text).unwrap();
        fs::set_permissions(at("bin/ghrunner"), fs::Permissions::from_mode(0o755)).unwrap();
        Self { dir }
    }

    /// Exit code, and all that it says.
    fn run(&self, name: &str, arguments: &[&str]) -> (i32, String) {
        let place = |folder: &str| self.dir.path().join(folder).display().to_string();
        let mut command = Command::new("env");
        for variable in ["GHRUNNER", "GHRUNNER_SOCKET", "GHRUNNER_CONFIG", "GHRUNNER_UNIT", "GHRUNNER_ENGINE"]
        {
            command.env_remove(variable);
        }
        let done = command
            .arg(format!("ghrunner-{name}"))
            .args(arguments)
            .env("PATH", format!("{}:{}:/usr/bin:/bin", place("sbin"), place("bin")))
            .env("GHRUNNER_BACKUP_DIR", "BACKUPS")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = [done.stdout, done.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (done.status.code().unwrap_or(-1), text.concat())
    }

    /// What the command was asked, one line each.
    fn asked(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.path().join("asked")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn each_script_tells_its_usage_and_exit_codes_under_the_name_it_was_called_by() {
    let installed = Installed::new(&[]);
    for name in SCRIPTS {
        let (code, text) = installed.run(name, &["--help"]);
        assert_eq!(code, 0, "{name}: {text}");
        assert!(text.contains(&format!("\n  ghrunner-{name}")) && text.contains("Exit codes:"), "{text}");
        assert!(!text.contains("set -euo") && !text.contains('#'), "{text}");
    }
    for name in ["start", "stop", "status", "rollback", "emergency-stop"] {
        assert_eq!(installed.run(name, &["--no-such-thing"]).0, 64, "{name}");
    }
    assert_eq!(installed.asked(), Vec::<String>::new());
}

#[test]
fn the_command_is_the_one_on_the_path_and_gets_the_arguments() {
    let installed = Installed::new(&[("org-status bad", 78)]);
    assert_eq!(installed.run("org-status", &["acme", "--json"]).0, 0);
    assert_eq!(installed.run("org-status", &["bad"]).0, 78);
    assert_eq!(installed.run("status", &["--json"]).0, 0);
    assert_eq!(installed.asked(), ["org-status acme --json", "org-status bad", "status --json"]);
}

#[test]
fn a_rollback_checks_shows_and_changes_in_this_order() {
    let installed = Installed::new(&[]);
    assert_eq!(installed.run("rollback", &["--yes", "--timeout", "5m"]).0, 0);
    let change = "rollback --yes --backup BACKUPS --wait --timeout 5m";
    assert_eq!(installed.asked(), ["status", "check", "rollback --dry-run", change]);
}

#[test]
fn a_rollback_against_which_something_speaks_or_without_a_daemon_changes_nothing() {
    for (refusal, code, last) in [
        (("status", 2), 2, "status"),
        (("check", 1), 1, "check"),
        (("rollback --undo --dry-run", 1), 1, "rollback --undo --dry-run"),
    ] {
        let installed = Installed::new(&[refusal]);
        let (ended, text) = installed.run("rollback", &["--undo", "--yes"]);
        assert_eq!(ended, code, "{text}");
        assert_eq!(installed.asked().last().map(String::as_str), Some(last));
    }
    let dry = Installed::new(&[]);
    assert_eq!(dry.run("rollback", &["--dry-run"]).0, 0);
    assert_eq!(dry.asked().last().map(String::as_str), Some("rollback --dry-run"));
}

#[test]
fn a_rollback_that_is_late_keeps_its_code_and_says_how_to_go_on() {
    let installed = Installed::new(&[("rollback --yes --backup BACKUPS --wait --timeout 10m", 3)]);
    let (code, text) = installed.run("rollback", &["--yes"]);
    assert!(code == 3 && text.contains("Run ghrunner-rollback again"), "{code} {text}");
}

#[test]
fn an_emergency_stop_asks_and_then_drains_before_it_stops() {
    let installed = Installed::new(&[]);
    let (code, text) = installed.run("emergency-stop", &[]);
    assert!(code == 2 && text.contains("nothing was changed"), "{code} {text}");
    assert_eq!(installed.asked(), ["runners stop --all --dry-run"]);
    let installed = Installed::new(&[]);
    assert_eq!(installed.run("emergency-stop", &["--yes"]).0, 0);
    let steps =
        ["runners stop --all --dry-run", "drain", "runners stop --all --force", "drain --wait --timeout 2m"];
    assert_eq!(installed.asked(), steps);
}

#[test]
fn an_emergency_stop_that_may_not_ask_the_daemon_says_so_and_touches_nothing() {
    let installed = Installed::new(&[("runners stop --all --dry-run", 77)]);
    let (code, text) = installed.run("emergency-stop", &["--yes"]);
    assert!(code == 77 && text.contains("not permitted"), "{code} {text}");
}
