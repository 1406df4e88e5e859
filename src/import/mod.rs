//! From the files of older set-ups to a `pools.toml`: environment files, compose files, values of ARC's scale-set chart.
//!
//! **Knows** which keys those files have, what they meant there, and which of ours means the same.
//! **Does not know** files and folders: texts come in; a text, notes and secrets go out.
//!
//! The way through: `env` and `yaml` read the texts, each value with its place → `vars`, `compose` and `arc` tell what kind
//! of set-up it is → `fleet` and `arc` make a `Unit` of each → `merge` and `credentials` make one file of them →
//! `draft` writes it, and takes out what the configuration's own check refuses.
//!
//! Invariants: the text that comes out is a configuration without errors. No secret of the input stands in it, in a note
//! or in a problem; secrets leave as [`Credential::secret`] alone. What is not carried is noted.

mod arc;
mod compose;
mod container;
mod credentials;
mod draft;
mod env;
mod fleet;
mod merge;
mod place;
mod reasons;
mod secrets;
mod text;
mod unit;
mod vars;
mod yaml;

use std::path::Path;
use std::sync::Arc;

pub use credentials::Credential;
pub use place::Note;
pub use place::NoteKind;
pub use place::Place;
pub use place::Problem;
pub use place::sentences;

use compose::EnvFile;
use env::Var;
use place::Notes;
use secrets::Secrets;
use unit::Unit;
use vars::Vars;
use yaml::Node;

/// Larger than any of these files is by a hundred times; what is larger is not one of them.
pub const MAX_BYTES: usize = 1 << 20;

/// A file that was read.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its name, as it was given.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// What came of the files.
#[derive(Debug)]
pub struct Imported {
    /// A `pools.toml`, with the notes as comments at its end.
    pub toml: String,
    /// What each file was taken for.
    pub files: Vec<(String, String)>,
    /// What became of what the files say, where it is not simply carried.
    pub notes: Vec<Note>,
    /// Secrets that the file names, to be put into files of their own.
    pub credentials: Vec<Credential>,
}

/// A file, as far as it can be read by itself.
enum Parsed {
    Env(Vec<Var>),
    Yaml(Vec<Node>),
}

/// Makes one configuration of all these files; `folder` is where the files of credentials will be.
///
/// # Errors
/// For each file of which nothing can be made, why.
pub fn import(inputs: &[Input], folder: &Path) -> Result<Imported, Vec<Problem>> {
    let mut secrets = Secrets::default();
    inputs.iter().for_each(|input| secrets.scan(&input.text));
    let mut problems = Vec::new();
    let mut parsed = Vec::new();
    for input in inputs {
        let file: Arc<str> = input.name.as_str().into();
        match parse(&file, &input.text) {
            Ok(content) => parsed.push((file, content)),
            Err(problem) => problems.push(problem),
        }
    }
    parsed.iter().for_each(|(_, content)| gather(content, &mut secrets));
    let mut notes = Notes::default();
    let unread = problems
        .iter()
        .any(|problem| problem.at.file.ends_with(".yml") || problem.at.file.ends_with(".yaml"));
    let (units, found) = units(&parsed, &mut notes);
    // Beside a compose file that cannot be read, nobody knows what an environment file is for.
    problems.extend(found.into_iter().filter(|problem| !unread || !is_env(&parsed, problem)));
    problems.sort_by_key(|problem| inputs.iter().position(|input| *input.name == *problem.at.file));
    if !problems.is_empty() {
        let hidden =
            |problem: Problem| Problem { message: draft::clean(&secrets.hide(&problem.message)), ..problem };
        return Err(problems.into_iter().map(hidden).collect());
    }
    let (mut draft, credentials) = merge::draft(&units, &secrets, &mut notes);
    draft.drop_secrets(&secrets, &mut notes);
    draft.settle(&mut notes);
    credentials.iter().for_each(|credential| missing(credential, folder, &mut notes));
    let order = |file: &str| inputs.iter().position(|input| input.name == file);
    notes.0.sort_by_key(|note| (note.kind, order(&note.at.file), note.at.line));
    for note in &mut notes.0 {
        note.text = draft::clean(&secrets.hide(&note.text));
        note.subject = draft::clean(&secrets.hide(&note.subject));
    }
    let files = told(&parsed, &units);
    draft.head = head(&files, &credentials, folder);
    let toml = draft.render(&notes.0, &secrets);
    Ok(Imported { toml, files, notes: notes.0, credentials })
}

fn is_env(parsed: &[(Arc<str>, Parsed)], problem: &Problem) -> bool {
    parsed.iter().any(|(file, content)| *file == problem.at.file && matches!(content, Parsed::Env(_)))
}

/// What to do about a secret that none of the files has.
fn missing(credential: &Credential, folder: &Path, notes: &mut Notes) {
    if let Some(hint) = &credential.hint {
        let subject = if credential.subject.is_empty() { &credential.name } else { &credential.subject };
        let path = folder.join(&credential.name);
        notes.todo(
            &credential.at,
            subject,
            format!("{}: {hint}; put it into {}", credential.what, path.display()),
        );
    }
}

/// YAML or variables, by the first line that says something.
fn parse(file: &Arc<str>, text: &str) -> Result<Parsed, Problem> {
    let problem = |line, message: &str| Problem {
        at: Place::new(file, line, usize::from(line > 0)),
        message: message.to_owned(),
        help: "give an environment file, a compose file, or the values.yaml of gha-runner-scale-set"
            .to_owned(),
    };
    if text.len() > MAX_BYTES {
        return Err(problem(0, "the file is larger than 1MiB"));
    }
    let text = text.trim_start_matches('\u{feff}');
    let says =
        |(_, line): &(usize, &str)| !line.trim().is_empty() && !line.trim_start().starts_with(['#', ';']);
    let Some((number, first)) = text.lines().enumerate().find(says) else {
        return Err(problem(0, "there is nothing in it"));
    };
    let first = first.trim();
    let name_ends = |ends: &[&str]| ends.iter().any(|end| file.ends_with(end));
    let key =
        first.strip_prefix("export ").unwrap_or(first).split(['=', ':']).next().unwrap_or_default().trim();
    let sign = first.find(['=', ':']).and_then(|at| first.get(at..=at));
    if name_ends(&[".yaml", ".yml", ".json"])
        || (sign != Some("=") && sign == Some(":") && env::is_name(key.trim_matches('"')))
        || first.starts_with(['{', '-', '%'])
    {
        return yaml::parse(file, text).map(Parsed::Yaml);
    }
    let variable = env::is_name(key) && (sign == Some("=") || first == key);
    if variable || (first.starts_with('[') && first.ends_with(']')) {
        let mut vars = env::parse(file, text)?;
        env::expand(&mut vars, &|_| None);
        return Ok(Parsed::Env(vars));
    }
    Err(problem(number + 1, "this is neither KEY=VALUE nor YAML"))
}

/// Secrets that are known by their key once the file is read.
fn gather(content: &Parsed, secrets: &mut Secrets) {
    match content {
        Parsed::Env(vars) => {
            vars.iter().filter(|var| secrets::is_secret(&var.key)).for_each(|var| secrets.add(&var.value));
        }
        Parsed::Yaml(documents) => {
            for document in documents {
                document.walk("", &mut |key, node| {
                    if secrets::is_secret(key) {
                        node.text().into_iter().for_each(|text| secrets.add(text));
                    }
                    // `{ name: A_TOKEN, value: … }`, and `- A_TOKEN=…`.
                    let named = node.get("name").and_then(Node::text).is_some_and(secrets::is_secret);
                    let value = node.get("value").and_then(Node::text).filter(|_| named);
                    let pair = node.text().and_then(|text| text.split_once('='));
                    let pair = pair.filter(|(key, _)| secrets::is_secret(key)).map(|(_, value)| value);
                    value.into_iter().chain(pair).for_each(|text| secrets.add(text));
                });
            }
        }
    }
}

/// Each set-up in the files, or for each file why there is none in it.
fn units(parsed: &[(Arc<str>, Parsed)], notes: &mut Notes) -> (Vec<Unit>, Vec<Problem>) {
    let files: Vec<EnvFile<'_>> = parsed
        .iter()
        .filter_map(|(name, content)| match content {
            Parsed::Env(vars) => Some(EnvFile { name, vars }),
            Parsed::Yaml(_) => None,
        })
        .collect();
    let composes: Vec<&Node> = parsed
        .iter()
        .flat_map(|(_, content)| match content {
            Parsed::Yaml(documents) => documents.as_slice(),
            Parsed::Env(_) => &[],
        })
        .filter(|document| document.get("services").is_some())
        .collect();
    let mut units = Vec::new();
    let mut problems = Vec::new();
    for (file, content) in parsed {
        let found = match content {
            Parsed::Env(vars) => {
                let this = EnvFile { name: file, vars };
                if composes.iter().any(|compose| compose::uses(compose, &this)) {
                    continue;
                }
                from_vars(file, vars.clone(), notes).map(|unit| vec![unit])
            }
            Parsed::Yaml(documents) => from_yaml(file, documents, &files, notes),
        };
        match found {
            Ok(mut found) => units.append(&mut found),
            Err(problem) => problems.push(problem),
        }
    }
    (units, problems)
}

fn from_vars(file: &Arc<str>, vars: Vec<Var>, notes: &mut Notes) -> Result<Unit, Problem> {
    let vars = Vars::new(vars, notes);
    let Some(shape) = vars.shape() else {
        return Err(Problem {
            at: Place::whole(file),
            message: "nothing in it says whom runners serve, or how many there are".to_owned(),
            help: "a runner's file has GITHUB_REPOSITORY, GITHUB_ORG, REPO_URL or their like; docs/migration.md lists the keys".to_owned(),
        });
    };
    let at = Place::whole(file);
    let setting = fleet::Setting { at: &at, name: None, count: 1 };
    Ok(fleet::unit(vars, shape, &setting, notes))
}

fn from_yaml(
    file: &Arc<str>,
    documents: &[Node],
    files: &[EnvFile<'_>],
    notes: &mut Notes,
) -> Result<Vec<Unit>, Problem> {
    let mut units = Vec::new();
    for document in documents {
        let charts = arc::values(document);
        if document.get("services").is_some() {
            units.append(&mut compose::units(document, files, notes)?);
        } else if charts.is_empty() {
            let flat = document.map().iter().filter_map(|(key, node)| {
                let (value, literal) = (node.text()?.to_owned(), true);
                Some(Var { key: key.clone(), value, at: node.at.clone(), literal, open: None })
            });
            let vars: Vec<Var> = flat.collect();
            if Vars::new(vars.clone(), &mut Notes::default()).shape().is_some() {
                units.push(from_vars(file, vars, notes)?);
            }
        }
        let release = arc::release(document);
        units.extend(charts.into_iter().map(|values| arc::unit(values, release, notes)));
    }
    if !units.is_empty() {
        return Ok(units);
    }
    let older = documents.iter().any(|document| {
        document.get("apiVersion").and_then(Node::text).is_some_and(|text| text.contains("summerwind"))
    });
    let (message, help) = match older {
        true => (
            "this is for the older controller, whose RunnerDeployments are not known",
            "docs/migration.md says what their keys are here",
        ),
        false => (
            "neither a compose file (services:) nor values of gha-runner-scale-set (githubConfigUrl:)",
            "docs/migration.md lists what can be read",
        ),
    };
    Err(Problem { at: Place::whole(file), message: message.to_owned(), help: help.to_owned() })
}

/// What each file was taken for.
fn told(parsed: &[(Arc<str>, Parsed)], units: &[Unit]) -> Vec<(String, String)> {
    let what = |file: &Arc<str>| {
        let mut shapes: Vec<&str> =
            units.iter().filter(|unit| unit.at.file == *file).map(|unit| unit.shape.what()).collect();
        shapes.dedup();
        if shapes.is_empty() { "the compose file's values".to_owned() } else { shapes.join(", ") }
    };
    parsed.iter().map(|(file, _)| (file.to_string(), what(file))).collect()
}

/// What stands above everything.
fn head(files: &[(String, String)], credentials: &[Credential], folder: &Path) -> Vec<String> {
    let mut lines = vec!["Made by `ghrunner import` from".to_owned()];
    lines.extend(files.iter().map(|(file, what)| format!("    {file} ({what})")));
    lines.push("Look through it, and through what stands at its end; then `ghrunner check FILE`, and `ghrunner doctor`.".to_owned());
    lines.push("Runners here have 2 processors, 4GiB, no sudo and no engine unless their pool says otherwise: cpus, memory, sudo, docker.".to_owned());
    if !credentials.is_empty() {
        lines.push("No secret stands in this file. The service gets each by a line of its unit; those that the unit lacks come by `systemctl edit ghrunner`:".to_owned());
        lines.push("    [Service]".to_owned());
        lines.extend(
            credentials
                .iter()
                .map(|c| format!("    LoadCredential={}:{}", c.name, folder.join(&c.name).display())),
        );
    }
    lines
}
