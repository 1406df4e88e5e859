//! Which room may use which: the table of ARCHITECTURE.md, held against the code.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// What each room may import of this crate, and which outside crates it must not.
const ROOMS: &[(&str, &[&str], &[&str])] = &[
    ("model", &[], &["tokio", "tracing", "bollard", "octocrab", "axum", "rand", "clap"]),
    ("config", &["model"], &["tokio", "tracing", "bollard", "octocrab", "axum", "rand", "clap", "ureq"]),
    (
        "import",
        &["model", "config"],
        &["tokio", "tracing", "bollard", "octocrab", "axum", "rand", "clap", "ureq"],
    ),
    ("decide", &["model", "config"], &["tokio", "tracing", "bollard", "octocrab", "axum", "rand", "clap"]),
    ("demand", &["model", "github"], &["bollard", "octocrab", "axum", "clap", "sqlx"]),
    ("observe", &["model", "github", "engine"], &["bollard", "octocrab", "axum", "clap"]),
    ("execute", &["model", "github", "engine", "decide"], &["bollard", "octocrab", "axum", "clap"]),
    ("github", &["model"], &["bollard", "axum", "clap"]),
    ("engine", &["model"], &["octocrab", "axum", "clap"]),
    (
        "control",
        &["model", "config", "decide", "observe", "execute", "github", "engine", "demand"],
        &["bollard", "octocrab", "axum", "clap", "sqlx"],
    ),
    ("history", &["model", "control"], &["bollard", "octocrab", "axum", "clap"]),
    ("telemetry", &["model", "control", "history"], &["bollard", "octocrab", "axum", "clap", "sqlx"]),
    ("systemd", &["model", "config"], &["bollard", "octocrab", "axum", "clap"]),
    ("http", &["model", "control", "github", "engine", "demand"], &["bollard", "octocrab", "clap", "sqlx"]),
    ("client", &["model", "http"], &["bollard", "octocrab", "axum", "clap", "sqlx"]),
    ("mcp", &["model", "http", "client"], &["bollard", "octocrab", "axum", "clap", "sqlx"]),
    (
        "cli",
        &[
            "model", "config", "decide", "observe", "control", "http", "client", "github", "engine",
            "systemd", "daemon", "import", "history", "mcp",
        ],
        &["bollard", "octocrab", "ureq"],
    ),
];

#[test]
fn every_room_uses_only_what_it_may() {
    let mut broken = Vec::new();
    for (room, may_use, must_not) in ROOMS {
        for (file, text) in sources(&Path::new("src").join(room)) {
            for (number, line) in text.lines().enumerate().filter(|(_, line)| !is_comment(line)) {
                for used in uses_of_crate(line) {
                    if used != *room && !may_use.contains(&used.as_str()) {
                        broken.push(format!("{}:{}: {room} uses {used}", file.display(), number + 1));
                    }
                }
                for outside in must_not.iter().filter(|name| mentions(line, name)) {
                    broken.push(format!(
                        "{}:{}: {room} uses the crate {outside}",
                        file.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_folder_is_a_room() {
    let known: BTreeMap<&str, ()> = ROOMS.iter().map(|(room, ..)| (*room, ())).collect();
    for entry in fs::read_dir("src").unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        // The daemon is where all rooms are joined.
        if entry.file_type().unwrap().is_dir() && name != "daemon" {
            assert!(known.contains_key(name.as_str()), "src/{name} is not in the table");
        }
    }
}

#[test]
fn time_and_chance_are_arguments_where_things_are_decided() {
    for (file, text) in sources(Path::new("src/decide")) {
        for word in ["async fn", ".await", "SystemTime", "Instant", "thread_rng", "rand::"] {
            let found = text.lines().any(|line| !is_comment(line) && line.contains(word));
            assert!(!found, "{} holds {word:?}", file.display());
        }
    }
}

/// Crates that one room is there to keep from the others.
const WALLS: &[(&str, &str)] = &[
    ("prometheus_client", "src/http/metrics"),
    ("prost", "src/telemetry"),
    ("rmcp", "src/mcp"),
    ("sqlx", "src/history"),
    ("ureq", "src/client"),
];

#[test]
fn each_library_behind_a_wall_is_named_in_its_room_only() {
    for (file, text) in sources(Path::new("src")) {
        for (library, room) in WALLS {
            let named = text.lines().any(|line| !is_comment(line) && mentions(line, library));
            assert!(!named || file.starts_with(room), "{} names {library}", file.display());
        }
    }
}

#[test]
fn nothing_that_is_decided_reads_the_meter() {
    for (file, text) in sources(Path::new("src/decide")) {
        let read = text.lines().any(|line| !is_comment(line) && line.contains("Meter"));
        assert!(!read, "{}", file.display());
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// Rooms that a line names by `crate::room`.
fn uses_of_crate(line: &str) -> Vec<String> {
    line.split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>())
        .filter(|name| !name.is_empty() && name.chars().next().is_some_and(char::is_lowercase))
        .collect()
}

fn mentions(line: &str, name: &str) -> bool {
    line.match_indices(&format!("{name}::")).any(|(at, _)| {
        line[..at]
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_ascii_alphanumeric() && before != '_' && before != ':')
    })
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).expect("sources are text");
            found.push((path, text));
        }
    }
    found
}
