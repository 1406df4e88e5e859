//! Golden checks: each folder of `tests/config` holds a `pools.toml` (with drop-ins or without) and what `check` says of
//! it. `UPDATE_GOLDEN=1` rewrites what is expected; read the difference before you keep it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use ghrunner::config::Config;
use ghrunner::config::Loaded;

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<_> =
        fs::read_dir("tests/config").unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    cases.sort();
    cases
}

/// Compares with a file, or rewrites it; returns what differs.
fn golden(path: &Path, actual: &str) -> Option<String> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, actual).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    (expected != actual)
        .then(|| format!("== {}\n-- expected\n{expected}\n-- actual\n{actual}", path.display()))
}

/// With a way to take out what is only so on this machine: the case's folder, and the architecture among the labels.
fn load(case: &Path) -> (Loaded, impl Fn(&str) -> String) {
    let prefix = format!("{}/", case.display());
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let neutral = move |text: &str| {
        text.replace(&prefix, "")
            .replace(&format!("\"{arch}\""), "\"ARCH\"")
            .replace(&format!("linux, {arch}"), "linux, ARCH")
    };
    (Config::load(&case.join("pools.toml")), neutral)
}

#[test]
fn every_case_is_told_as_expected() {
    let mut wrong = Vec::new();
    for case in cases() {
        let (loaded, neutral) = load(&case);
        assert_eq!(loaded.config.is_some(), loaded.report.errors() == 0, "{}", case.display());
        wrong.extend(golden(&case.join("expected.txt"), &neutral(&loaded.report.render(false))));
        if case.join("config.json").exists() {
            let json = serde_json::to_string_pretty(&loaded.config).unwrap();
            wrong.extend(golden(&case.join("config.json"), &(neutral(&json) + "\n")));
        }
        if case.join("report.json").exists() {
            let json = serde_json::to_string_pretty(&loaded.report.json()).unwrap();
            wrong.extend(golden(&case.join("report.json"), &(neutral(&json) + "\n")));
        }
        if case.join("journal.txt").exists() {
            let lines = [loaded.report.error_lines(), loaded.report.warning_lines()].concat().join("\n");
            wrong.extend(golden(&case.join("journal.txt"), &(neutral(&lines) + "\n")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_are_cases() {
    assert!(cases().len() >= 30, "{}", cases().len());
}
