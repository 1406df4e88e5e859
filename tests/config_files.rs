//! The file as such: absent, unreadable, no text; the shipped example and the manual; and whatever bytes there are.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::Path;

use ghrunner::config::Config;
use ghrunner::config::drop_in_dir;
use ghrunner::config::reference;
use proptest::prelude::*;

/// What is said of a file, without the folder it lies in.
fn said(path: &Path) -> String {
    let loaded = Config::load(path);
    assert_eq!(loaded.config, None);
    let folder = format!("{}/", path.parent().unwrap().display());
    loaded.report.error_lines().join("\n").replace(&folder, "")
}

#[test]
fn a_file_that_cannot_be_used_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pools.toml");
    assert_eq!(
        said(&file),
        "pools.toml: there is no such file (write one: /usr/share/doc/ghrunner/pools.toml.example shows every key)"
    );
    fs::create_dir(dir.path().join("folder")).unwrap();
    assert_eq!(
        said(&dir.path().join("folder")),
        "folder: this is a folder, not a file (name the file in it, such as pools.toml)"
    );
    fs::write(&file, b"[github]\nurl = \"\xff\"\n").unwrap();
    assert_eq!(
        said(&file),
        "pools.toml: the file is not UTF-8 text: line 2 holds a byte that is none (save it as UTF-8, as every editor can)"
    );
    fs::write(&file, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert_eq!(said(&file), "pools.toml: the file is larger than 1MiB (is this the right file?)");
}

#[test]
fn a_folder_among_the_drop_ins_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pools.toml");
    fs::write(&file, "").unwrap();
    fs::create_dir_all(drop_in_dir(&file).join("10-x.toml")).unwrap();
    assert!(said(&file).starts_with("pools.d/10-x.toml: this is a folder"), "{}", said(&file));
}

#[test]
fn the_example_passes_when_its_settings_are_uncommented() {
    let example = fs::read_to_string("etc/pools.toml.example").unwrap();
    assert!(example.lines().all(|line| line.is_empty() || line.starts_with('#')));
    let bare = Config::from_text("example", &example);
    assert_eq!(bare.report.errors(), 0, "{}", bare.report.render(false));
    let text: Vec<_> = example.lines().map(uncomment).collect();
    let loaded = Config::from_text("example", &text.join("\n"));
    assert_eq!((loaded.report.errors(), loaded.report.warnings()), (0, 0), "{}", loaded.report.render(false));
}

/// `#key = value` is a setting, `# text` is none.
fn uncomment(line: &str) -> &str {
    match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') && !setting.is_empty() => setting,
        _ => line,
    }
}

#[test]
fn the_example_shows_every_key() {
    let example = fs::read_to_string("etc/pools.toml.example").unwrap();
    let manual = reference();
    for line in manual.lines().filter_map(|line| line.strip_prefix("- **`")) {
        let key = line.split('`').next().unwrap();
        assert!(example.contains(&format!("{key} = ")), "{key}");
    }
}

#[test]
fn the_manual_lists_the_schema() {
    let path = "docs/configuration.md";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, reference()).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(written == reference(), "{path} is not what the schema says; UPDATE_GOLDEN=1 rewrites it");
}

#[test]
fn the_manuals_first_file_passes() {
    let manual = reference();
    let first = manual.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let loaded = Config::from_text("manual", first);
    assert_eq!((loaded.report.errors(), loaded.report.warnings()), (0, 0), "{}", loaded.report.render(false));
}

/// Every form of a report is made, and a configuration is there exactly if there is no error.
fn holds(text: &str) {
    let loaded = Config::from_text("any", text);
    assert_eq!(loaded.config.is_some(), loaded.report.errors() == 0, "{text:?}\n{}", loaded.report);
    let told = loaded.report.render(false) + &loaded.report.render(true) + &loaded.report.to_string();
    assert!(!told.is_empty());
    assert!(serde_json::to_string(&loaded.report.json()).is_ok());
}

/// Pieces of real files, so that chance gets past the first character.
fn fragment() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "[github]\n",
        "[pools.a]\n",
        "[pools.b]\n",
        "[defaults]\n",
        "[host]\n",
        "[engine]\n",
        "[credentials.x]\n",
        "[[pools]]\n",
        "token = { credential = \"t\" }\n",
        "token = { env = \"E\", ",
        "app = { id = 1, private_key = { file = \"/k\" } }\n",
        "org = \"acme\"\n",
        "repo = \"a/b\"\n",
        "repos = [\"a/*\", \"a/b\"]\n",
        "max = ",
        "min = 3\n",
        "memory = \"4GiB\"\n",
        "gpus = [",
        "labels = [\"é\", \"日本\"]\n",
        "volumes = [\"a:/b\"]\n",
        "env = { A = \"ghp_é\" }\n",
        "demand = \"poll\"\n",
        "network = \"",
        "\"\"\"",
        "'",
        "\"\n",
        "]\n",
        "}\n",
        "= ",
        "5\n",
        "nan\n",
        "max_runners = 3\n",
        "credentials = \"x\"\n",
        "://é@",
        "-----BEGIN ",
        "\r\n",
        "\u{feff}",
    ]);
    prop_oneof![9 => words.prop_map(str::to_owned), 1 => ".{0,6}"]
}

proptest! {
    #[test]
    fn any_text_is_told_of_without_a_panic(text in "(?s).{0,200}") {
        holds(&text);
    }

    #[test]
    fn any_pieces_are_told_of_without_a_panic(pieces in prop::collection::vec(fragment(), 0..25)) {
        holds(&pieces.concat());
    }

    #[test]
    fn any_bytes_are_told_of_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pools.toml");
        fs::write(&file, &bytes).unwrap();
        let loaded = Config::load(&file);
        prop_assert!(!loaded.report.render(false).is_empty());
    }
}
