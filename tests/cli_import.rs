//! `ghrunner import`, by the real binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

/// A folder with a set-up in it.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text = "GITHUB_TOKEN=ghp_abcdefgh\nGITHUB_ORG=acme\nMAX_RUNNERS=4\nREDIS_URL=redis://r:6379\n";
    fs::write(dir.path().join(".env"), text).unwrap();
    dir
}

fn import(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ghrunner"))
        .arg("import")
        .args(arguments)
        .current_dir(dir)
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_file_goes_to_standard_output_and_all_else_to_standard_error() {
    let dir = folder();
    let output = import(dir.path(), &[".env"]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    fs::write(dir.path().join("pools.toml"), &output.stdout).unwrap();
    let check =
        Command::new(env!("CARGO_BIN_EXE_ghrunner")).arg("check").arg(dir.path().join("pools.toml")).output();
    assert_eq!(code(&check.unwrap()), 0);
    assert!(text(&output.stdout).contains("[pools.acme]\norg = \"acme\""), "{}", text(&output.stdout));
    let told = text(&output.stderr);
    for part in [
        ".env is taken for the orchestrator 2.0",
        "Not carried:\n  .env:4 REDIS_URL: ",
        "GITHUB_TOKEN of .env: run this again with --write",
        "install -D -m 0600 /dev/stdin /etc/ghrunner/credentials/github-token",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert!(!told.contains("ghp_abc") && !text(&output.stdout).contains("ghp_abc"));
}

#[test]
fn secrets_are_written_where_nobody_else_reads_them_and_nothing_is_overwritten() {
    let dir = folder();
    let credentials = dir.path().join("credentials");
    let arguments = [".env", "--write", "--credentials", credentials.to_str().unwrap()];
    let output = import(dir.path(), &arguments);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let file = credentials.join("github-token");
    assert_eq!(fs::read_to_string(&file).unwrap(), "ghp_abcdefgh\n");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&credentials).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(text(&output.stdout).contains(&format!("LoadCredential=github-token:{}", file.display())));
    assert_eq!(code(&import(dir.path(), &arguments)), 0, "the same once more");
    fs::write(&file, "another\n").unwrap();
    let refused = import(dir.path(), &arguments);
    assert_eq!(code(&refused), 2);
    assert!(text(&refused.stderr).contains("holds something else"), "{}", text(&refused.stderr));
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), text(&refused.stdout)), ("another\n", ""));
}

#[test]
fn without_being_told_to_it_writes_nothing() {
    let dir = folder();
    let credentials = dir.path().join("credentials");
    assert_eq!(code(&import(dir.path(), &[".env", "--credentials", credentials.to_str().unwrap()])), 0);
    assert!(!credentials.exists());
}

#[test]
fn for_programs_it_is_one_document_without_a_secret() {
    let dir = folder();
    let output = import(dir.path(), &["--json", ".env"]);
    assert!(!text(&output.stdout).contains("ghp_abc"), "{}", text(&output.stdout));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |pointer: &str| json.pointer(pointer).unwrap_or_else(|| panic!("{pointer}: {json:#}"));
    assert!(of("/toml").as_str().unwrap().contains("[pools.acme]"));
    assert_eq!(of("/files/0/taken_for"), "the orchestrator 2.0");
    assert_eq!(of("/credentials/0/path"), "/etc/ghrunner/credentials/github-token");
    assert_eq!((of("/credentials/0/found"), of("/credentials/0/written")), (&true.into(), &false.into()));
    assert_eq!((of("/notes/0/kind"), of("/notes/0/at/line")), (&"not_carried".into(), &4.into()));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn every_file_of_which_nothing_can_be_made_is_told_with_its_line() {
    let dir = folder();
    fs::write(dir.path().join("broken.env"), "GITHUB_ORG=acme\nwhat is this\n").unwrap();
    fs::write(dir.path().join("broken.yml"), "services:\n  a: [\n").unwrap();
    let output = import(dir.path(), &[".env", "broken.env", "broken.yml"]);
    assert_eq!((code(&output), text(&output.stdout)), (1, ""));
    let told = text(&output.stderr);
    assert!(told.starts_with("broken.env:2:1: this line is no KEY=VALUE"), "{told}");
    assert!(told.contains("\nbroken.yml:"), "{told}");
    let json: serde_json::Value =
        serde_json::from_slice(&import(dir.path(), &["--json", "broken.env"]).stdout).unwrap();
    assert_eq!(json.pointer("/problems/0/at/line"), Some(&2.into()), "{json}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let dir = folder();
    let output = import(dir.path(), &["nowhere.env"]);
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("cannot read nowhere.env"), "{}", text(&output.stderr));
    fs::write(dir.path().join("bytes.env"), b"A=\xff").unwrap();
    assert!(text(&import(dir.path(), &["bytes.env"]).stderr).contains("bytes.env is not UTF-8"));
    assert_eq!(code(&import(dir.path(), &[])), 64);
}

#[test]
fn standard_input_is_a_file_too() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ghrunner"))
        .args(["import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let values = b"githubConfigUrl: https://github.com/acme\nrunnerScaleSetName: big\nmaxRunners: 3\n";
    child.stdin.take().unwrap().write_all(values).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("scale_set = \"big\""), "{}", text(&output.stdout));
}
