//! The one place that reads files.
//!
//! **Knows** where drop-ins lie and what an unreadable file means for the operator.
//! **Does not know** what stands in a file.

use std::fs;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use super::Config;
use super::build;
use super::diagnostic::Diagnostic;
use super::diagnostic::Sink;
use super::report::Report;
use super::rules;
use super::schema::ROOT;
use super::shape;
use super::source::Source;
use super::tree;
use super::tree::Table;

/// Far more than a thousand pools need; what is larger is not this file.
const MAX_BYTES: u64 = 1 << 20;

/// What came of reading a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration; none if there is any error.
    pub config: Option<Config>,
    /// All errors and warnings.
    pub report: Report,
}

impl Loaded {
    /// The configuration, or the report that says why there is none.
    ///
    /// # Errors
    /// The file has errors.
    pub fn into_result(self) -> Result<Config, Report> {
        self.config.ok_or(self.report)
    }
}

impl Config {
    /// Reads a file and its drop-ins, and checks all of it. Never fails halfway: all that is wrong is in the report.
    pub fn load(path: &Path) -> Loaded {
        let mut sink = Sink::default();
        let mut sources = vec![read(path, 0, &mut sink)];
        let drop_ins = drop_ins(path).unwrap_or_else(|error| {
            let dir = drop_in_dir(path);
            sink.push(
                Diagnostic::error(format!("cannot list {}: {error}", dir.display()))
                    .help("make the folder readable for the service's user, or remove it"),
            );
            Vec::new()
        });
        for drop_in in drop_ins {
            let source = read(&drop_in, sources.len(), &mut sink);
            sources.push(source);
        }
        check(sources, sink)
    }

    /// Checks a text as if it were a file of this name, without drop-ins.
    pub fn from_text(name: impl AsRef<Path>, text: &str) -> Loaded {
        check(vec![Source::new(name, text)], Sink::default())
    }
}

/// Where the drop-ins of a file lie: `pools.d` beside it.
pub fn drop_in_dir(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join("pools.d")
}

/// The drop-ins of a file: `*.toml`, in the order of their names; hidden files are an editor's, not the operator's.
///
/// # Errors
/// The folder is there and cannot be listed.
pub fn drop_ins(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(drop_in_dir(path)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|ext| ext == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads one file; if that fails it says why, and the file reads as empty.
fn read(path: &Path, file: usize, sink: &mut Sink) -> Source {
    let text = read_text(path).unwrap_or_else(|problem| {
        sink.push(problem.in_file(file));
        String::new()
    });
    Source::new(path, text)
}

fn read_text(path: &Path) -> Result<String, Diagnostic> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(&error))?;
    if metadata.is_dir() {
        return Err(
            Diagnostic::error("this is a folder, not a file").help("name the file in it, such as pools.toml")
        );
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Diagnostic::error("the file is larger than 1MiB").help("is this the right file?"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(valid).filter(|b| **b == b'\n').count() + 1;
        Diagnostic::error(format!("the file is not UTF-8 text: line {line} holds a byte that is none"))
            .help("save it as UTF-8, as every editor can")
    })
}

fn unreadable(error: &io::Error) -> Diagnostic {
    let (what, next) = match error.kind() {
        io::ErrorKind::NotFound => (
            "there is no such file".to_owned(),
            "write one: /usr/share/doc/ghrunner/pools.toml.example shows every key",
        ),
        io::ErrorKind::PermissionDenied => (
            "the file may not be read".to_owned(),
            "make it readable for the service's user, such as with chmod 0644; it holds no secrets",
        ),
        _ => (format!("the file cannot be read: {error}"), "look at the disk and the file's name"),
    };
    Diagnostic::error(what).help(next)
}

/// From texts to a configuration, or to all that is wrong with it.
fn check(sources: Vec<Source>, mut sink: Sink) -> Loaded {
    let unread = sink.has_errors();
    let mut root = Table::new();
    let mut broken = Vec::new();
    for (file, source) in sources.iter().enumerate() {
        let (table, errors) = tree::parse(&source.text, file);
        broken.extend(errors);
        tree::merge(&mut root, table);
    }
    let mut shape_sink = Sink::default();
    shape::check(&root, &ROOT, &[], "", &mut shape_sink);
    sink.extend(away_from(&broken, shape_sink.into_sorted(), &sources));
    let draft = build::draft(&root);
    // What is absent, or does not go together, may only be so because a line could not be read.
    if !unread && broken.is_empty() {
        rules::check(&draft, &mut sink);
    }
    sink.extend(broken);
    let config = if sink.has_errors() { None } else { draft.config() };
    Loaded { config, report: Report::new(sources, sink.into_sorted()) }
}

/// What is found on a line that is no TOML is what the parser made of it, not what the operator wrote.
fn away_from(broken: &[Diagnostic], found: Vec<Diagnostic>, sources: &[Source]) -> Vec<Diagnostic> {
    let line = |d: &Diagnostic| {
        let at = d.labels.first()?.at;
        Some((at.file, sources.get(at.file)?.position(at.start).line))
    };
    if broken.is_empty() {
        return found;
    }
    let lines: Vec<_> = broken.iter().filter_map(line).collect();
    found.into_iter().filter(|d| line(d).is_none_or(|at| !lines.contains(&at))).collect()
}
