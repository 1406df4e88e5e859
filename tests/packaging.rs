//! What the packages bring, held against the code and the manual.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;

use ghrunner::cli::Exit;
use ghrunner::daemon::webhook::SOCKET_NAMES;
use ghrunner::systemd::Secrets;

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands behind `KEY=`, in each line of a unit.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// The names of the credentials that the unit loads.
fn credentials(unit: &str) -> Vec<&str> {
    values(unit, "LoadCredential").iter().map(|value| value.split_once(':').unwrap().0).collect()
}

#[test]
fn each_credential_of_the_unit_lies_where_errors_and_the_manual_say() {
    let unit = text("systemd/ghrunner.service");
    let names = credentials(&unit);
    assert!(names.len() >= 5, "{names:?}");
    let manual = text("docs/installing.md");
    let reference = ghrunner::config::reference();
    let encrypted = text("packaging/examples/encrypted-credentials.conf");
    for name in names {
        let path = format!("/etc/ghrunner/credentials/{name}");
        assert!(unit.contains(&format!("\nLoadCredential={name}:{path}\n")), "{name}");
        // Without it a file that is not there would keep the service from starting.
        assert!(unit.contains(&format!("\nSetCredential={name}:\\n\n")), "{name}");
        assert!(encrypted.contains(&format!("LoadCredentialEncrypted={name}:{path}.cred\n")), "{name}");
        for page in [&manual, &reference] {
            assert!(page.contains(&format!("`{name}`")), "{name} is not in the manual");
        }
    }
    let empty = tempfile::tempdir().unwrap();
    fs::write(empty.path().join("github-token"), "\n").unwrap();
    let error = Secrets::in_directory(empty.path()).credential("github-token").unwrap_err();
    assert!(error.to_string().contains("/etc/ghrunner/credentials/github-token"), "{error}");
}

#[test]
fn every_credential_that_the_example_names_is_one_that_the_unit_loads() {
    let unit = text("systemd/ghrunner.service");
    let known = credentials(&unit);
    let example = text("etc/pools.toml.example");
    let named: Vec<&str> =
        example.split("{ credential = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(named.len() >= 4, "{named:?}");
    for name in named {
        assert!(known.contains(&name), "{name}");
    }
}

#[test]
fn no_exit_code_that_a_restart_would_not_mend_is_retried() {
    let unit = text("systemd/ghrunner.service");
    let never: Vec<&str> = values(&unit, "RestartPreventExitStatus")[0].split(' ').collect();
    for exit in [Exit::Usage, Exit::Permission, Exit::Config] {
        assert!(never.contains(&exit.code().to_string().as_str()), "{exit:?}");
    }
}

#[test]
fn the_socket_goes_by_a_name_that_the_daemon_takes_and_the_manual_gives_its_address() {
    let socket = text("systemd/ghrunner.socket");
    assert!(SOCKET_NAMES.contains(&values(&socket, "FileDescriptorName")[0]));
    let address = values(&socket, "ListenStream")[0];
    for page in ["docs/installing.md", "docs/webhooks.md"] {
        assert!(text(page).contains(address), "{page}");
    }
}
