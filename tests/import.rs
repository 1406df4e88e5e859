//! Golden imports: each folder of `tests/import` holds files of older set-ups below `in`, the `pools.toml` that is made of
//! them, and what is told. `UPDATE_GOLDEN=1` rewrites what is expected; read the difference before you keep it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use ghrunner::config::Config;
use ghrunner::import::Imported;
use ghrunner::import::Input;
use ghrunner::import::NoteKind;
use ghrunner::import::Problem;
use ghrunner::import::import;
use proptest::prelude::*;

/// What every secret among the inputs holds.
const MARK: &str = "S3CR3T";

fn folder() -> &'static Path {
    Path::new("/etc/ghrunner/credentials")
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<_> =
        fs::read_dir("tests/import").unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn inputs(case: &Path) -> Vec<Input> {
    let files = fs::read_dir(case.join("in")).unwrap().map(|entry| entry.unwrap().path());
    let mut inputs: Vec<Input> = files
        .map(|path| Input {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            text: fs::read_to_string(&path).unwrap(),
        })
        .collect();
    inputs.sort_by(|one, other| one.name.cmp(&other.name));
    inputs
}

/// All that is told beside the file.
fn told(result: &Result<Imported, Vec<Problem>>) -> String {
    let mut text = String::new();
    match result {
        Err(problems) => problems.iter().for_each(|problem| text += &format!("problem: {problem}\n")),
        Ok(imported) => {
            for (file, what) in &imported.files {
                text += &format!("{file} is {what}\n");
            }
            for note in &imported.notes {
                text += &format!("{}: {note}\n", note.kind.title());
            }
            for credential in &imported.credentials {
                let has = if credential.secret.is_some() { "there" } else { "missing" };
                let hint = credential.hint.as_deref().unwrap_or_default();
                text += &format!("{}, {}: {has} {hint}\n", credential.name, credential.what);
            }
            let report = Config::from_text("pools.toml", &imported.toml).report;
            text += &report.warning_lines().iter().map(|line| format!("check: {line}\n")).collect::<String>();
        }
    }
    text
}

/// Without what is only so on this machine: the architecture among the labels that the check names.
fn neutral(text: &str) -> String {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    text.replace(&format!("self-hosted, linux, {arch}"), "self-hosted, linux, ARCH")
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

#[test]
fn every_set_up_becomes_the_file_that_is_expected() {
    let mut wrong = Vec::new();
    for case in cases() {
        let result = import(&inputs(&case), folder());
        wrong.extend(golden(&case.join("notes.txt"), &neutral(&told(&result))));
        if let Ok(imported) = result {
            wrong.extend(golden(&case.join("pools.toml"), &neutral(&imported.toml)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases().len() > 20, "{}", cases().len());
}

#[test]
fn what_is_made_passes_the_check() {
    let mut pools = 0;
    for case in cases() {
        let Ok(imported) = import(&inputs(&case), folder()) else { continue };
        let loaded = Config::from_text("pools.toml", &imported.toml);
        assert_eq!(loaded.report.errors(), 0, "{}\n{}", case.display(), loaded.report.render(false));
        pools += loaded.config.unwrap().pools.len();
    }
    assert!(pools > 15, "{pools}");
}

#[test]
fn no_secret_leaves_but_as_one() {
    let mut secrets = 0;
    for case in cases() {
        let result = import(&inputs(&case), folder());
        assert!(!told(&result).contains(MARK), "{}\n{}", case.display(), told(&result));
        let Ok(imported) = result else { continue };
        assert!(!imported.toml.contains(MARK), "{}\n{}", case.display(), imported.toml);
        assert!(!format!("{imported:?}").contains(MARK), "{}", case.display());
        let given = imported.credentials.iter().filter_map(|credential| credential.secret.as_ref());
        secrets += given.inspect(|secret| assert!(secret.reveal().contains(MARK))).count();
    }
    assert!(secrets > 10, "{secrets}");
}

#[test]
fn every_variable_is_carried_or_told_of() {
    for case in cases() {
        let inputs = inputs(&case);
        let Ok(imported) = import(&inputs, folder()) else { continue };
        for line in
            inputs.iter().filter(|input| !input.name.ends_with("ml")).flat_map(|input| input.text.lines())
        {
            let Some((key, value)) = line.trim_start_matches("export ").split_once('=') else { continue };
            let key = key.trim();
            // What means what is so anyway needs no word.
            let usual = ["Default", "default"].contains(&value) || key.ends_with("DOCKER_SOCKET");
            let implied = ["GITHUB_HOST", "RUNNER_SCOPE", "APP_ID", "GITHUB_TOKEN"].contains(&key);
            let told = imported.toml.contains(key);
            assert!(told || usual || implied, "{}: {key}\n{}", case.display(), imported.toml);
        }
    }
}

#[test]
fn the_same_files_give_the_same_text() {
    for case in cases() {
        let one = import(&inputs(&case), folder()).map(|imported| imported.toml);
        let other = import(&inputs(&case), folder()).map(|imported| imported.toml);
        assert_eq!(one, other);
    }
}

fn imported(files: &[(&str, &str)]) -> Imported {
    let inputs: Vec<Input> = files
        .iter()
        .map(|(name, text)| Input { name: (*name).to_owned(), text: (*text).to_owned() })
        .collect();
    import(&inputs, folder()).unwrap()
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let input = Input { name: "x.env".to_owned(), text: "A=b\n".repeat(1 << 19) };
    let problems = import(&[input], folder()).unwrap_err();
    assert_eq!(problems[0].message, "the file is larger than 1MiB");
}

#[test]
fn an_engine_s_socket_in_a_service_is_named_as_unwise() {
    let text = "services:\n  runner:\n    environment: { REPO_URL: https://github.com/a/b, RUNNER_TOKEN: x }\n    \
                volumes: [\"/var/run/docker.sock:/var/run/docker.sock\"]\n";
    let imported = imported(&[("compose.yml", text)]);
    assert!(imported.toml.contains("docker = \"socket\""), "{}", imported.toml);
    assert!(imported.notes.iter().any(|note| note.kind == NoteKind::Unwise), "{:?}", imported.notes);
}

#[test]
fn every_key_that_the_guide_names_is_known() {
    let guide = fs::read_to_string("docs/migration.md").unwrap();
    let old = |row: &str| row.split('|').nth(1).unwrap_or_default().to_owned();
    let rows: String = guide.lines().filter(|line| line.starts_with("| `")).map(old).collect();
    let is_variable =
        |word: &&str| word.contains('_') && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    let keys: Vec<&str> = rows.split('`').filter(is_variable).collect();
    assert!(keys.len() > 40, "{keys:?}");
    for key in keys {
        let text = format!("GITHUB_ORG=acme\nGITHUB_TOKEN=abcdefgh\nMAX_RUNNERS=4\n{key}=5\n");
        let imported = imported(&[("x.env", &text)]);
        let unknown =
            imported.notes.iter().find(|note| note.subject == key && note.text.contains("not known"));
        assert!(unknown.is_none(), "{key}: {unknown:?}");
    }
}

/// Pieces of real files, so that chance gets past the first character.
fn piece() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "GITHUB_TOKEN=ghp_S3CR3Tabcdef\n",
        "GITHUB_ORG=acme\n",
        "ORCHESTRATOR_GITHUB_REPO=acme/app\n",
        "REPO_URL=https://github.com/acme/app\n",
        "RUNNER_TOKEN=AAAAAA\n",
        "MIN_RUNNERS=3\n",
        "MAX_RUNNERS=",
        "LABELS=a,b,é\n",
        "RUNNER_IMAGE=",
        "RUNNER_NETWORK=host\n",
        "IDLE_TIMEOUT=99999999999999999999\n",
        "GITHUB_WEBHOOK_SECRET=hushhush\n",
        "owner=alice\nmax_runners=2\n",
        "export A=\"",
        "${B:-$C}",
        "\\\n",
        "services:\n  runner:\n",
        "    image: myoung34/github-runner\n",
        "    environment:\n",
        "      - GITHUB_REPOSITORY=a/b\n",
        "      ORG_NAME: acme\n",
        "    volumes: [\"/a:/b\", \"/var/run/docker.sock:/x\"]\n",
        "    deploy: { replicas: 3 }\n",
        "githubConfigUrl: https://github.com/acme\n",
        "githubConfigSecret: { github_token: hushhush }\n",
        "minRunners: 5\n",
        "maxRunners: -1\n",
        "runnerScaleSetName: \"\u{1}x\"\n",
        "template: { spec: { containers: [ { name: runner, image: x, env: [ { name: A, value: \"\\n\" } ] } ] } }\n",
        "---\n",
        "&a *a",
        "<<: *a\n",
        "'",
        "\"\n",
        "\r\n",
        "\u{feff}",
        "\u{85}",
        "]",
        "}\n",
    ]);
    prop_oneof![9 => words.prop_map(str::to_owned), 1 => ".{0,6}"]
}

/// Pieces that are good by themselves.
fn whole() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "GITHUB_TOKEN=ghp_S3CR3Tabcdef\n",
        "ACCESS_TOKEN=ghp_S3CR3Tanother\n",
        "GITHUB_ORG=acme\n",
        "GITHUB_ORG=default\n",
        "GITHUB_REPOSITORY=acme/app\n",
        "RUNNER_LABELS=docker\n",
        "RUNNER_GROUP=ci\n",
        "GITHUB_HOST=git.example\n",
        "MAX_RUNNERS=60000\n",
        "MIN_RUNNERS=5\n",
        "GITHUB_WEBHOOK_SECRET=S3CR3Thook\n",
        "PORT=99\n",
        "owner=acme\nmax_runners=3\n",
        "githubConfigUrl: https://github.com/acme\n",
        "githubConfigUrl: https://git.example/acme/app\n",
        "githubConfigSecret: { github_token: S3CR3Ttoken }\n",
        "runnerScaleSetName: build\n",
        "maxRunners: 7\n",
        "minRunners: 9\n",
        "services: { a: { environment: { ORG_NAME: acme, LABELS: docker }, privileged: true } }\n",
        "services: { b: { image: x, scale: 4, environment: [GITHUB_REPOSITORY=acme/app, \"GITHUB_TOKEN=${GITHUB_TOKEN}\"] } }\n",
    ])
}

/// Whatever comes in: no panic, and what comes out is a configuration.
fn holds(name: &str, text: &str) {
    hold(&[Input { name: name.to_owned(), text: text.to_owned() }]);
}

fn hold(inputs: &[Input]) {
    let text: Vec<&str> = inputs.iter().map(|input| input.text.as_str()).collect();
    match import(inputs, folder()) {
        Err(problems) => assert!(!problems.is_empty()),
        Ok(imported) => {
            let loaded = Config::from_text("pools.toml", &imported.toml);
            assert_eq!(
                loaded.report.errors(),
                0,
                "{text:?}\n{}\n{}",
                imported.toml,
                loaded.report.render(false)
            );
            assert!(!imported.toml.contains(MARK), "{text:?}\n{}", imported.toml);
        }
    }
}

proptest! {
    #[test]
    fn any_text_becomes_a_good_file_or_a_problem(text in "(?s).{0,200}") {
        holds("x", &text);
        holds("x.yml", &text);
    }

    #[test]
    fn any_pieces_become_a_good_file_or_a_problem(pieces in prop::collection::vec(piece(), 0..16)) {
        holds("x", &pieces.concat());
        holds("x.yml", &pieces.concat());
    }

    #[test]
    fn any_files_together_become_a_good_file_or_problems(
        files in prop::collection::vec(prop::collection::vec(whole(), 1..5), 1..5),
    ) {
        let named = |(n, pieces): (usize, &Vec<&str>)| {
            let yaml = pieces.iter().any(|piece| piece.contains(": "));
            let only = |piece: &&&str| piece.contains(": ") == yaml;
            let text = pieces.iter().filter(only).copied().collect::<String>();
            Input { name: format!("{n}.{}", if yaml { "yaml" } else { "env" }), text }
        };
        hold(&files.iter().enumerate().map(named).collect::<Vec<_>>());
    }

    #[test]
    fn any_value_of_a_known_key_becomes_a_good_file(
        key in prop::sample::select(vec![
            "GITHUB_ORG", "GITHUB_REPO", "REPO_URL", "RUNNER_GROUP", "RUNNER_LABELS", "RUNNER_IMAGE", "MAX_RUNNERS",
            "MIN_RUNNERS", "IDLE_TIMEOUT", "RUNNER_NETWORK", "DOCKER_HOST", "GITHUB_HOST", "HTTPS_PROXY", "NO_PROXY",
            "RUNNER_WORKDIR", "WEBHOOK_BASE_URL", "PORT", "APP_ID", "ACCESS_TOKEN_FILE", "MEMORY_LIMIT", "CPU_LIMIT",
        ]),
        value in "[ -~é]{0,30}",
    ) {
        holds("x.env", &format!("GITHUB_ORG=acme\nMAX_RUNNERS=4\nAPP_PRIVATE_KEY=hushhush\n{key}='{value}'\n"));
    }
}
