//! `ghrunner import`.

use std::fs;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use serde::Serialize;

use crate::cli::CliError;
use crate::cli::Context;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::cli::args;
use crate::import;
use crate::import::Credential;
use crate::import::Imported;
use crate::import::Input;
use crate::import::NoteKind;
use crate::import::Place;
use crate::import::Problem;

/// What the command prints for programs; fields are only ever added.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    /// The new file; none where there are problems.
    toml: Option<&'a str>,
    files: Vec<AnswerFile<'a>>,
    notes: Vec<AnswerNote<'a>>,
    credentials: Vec<AnswerCredential<'a>>,
    problems: Vec<AnswerProblem<'a>>,
}

#[derive(Debug, Serialize)]
struct AnswerFile<'a> {
    file: &'a str,
    taken_for: &'a str,
}

#[derive(Debug, Serialize)]
struct AnswerPlace<'a> {
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
}

#[derive(Debug, Serialize)]
struct AnswerNote<'a> {
    kind: NoteKind,
    at: AnswerPlace<'a>,
    subject: &'a str,
    text: &'a str,
}

#[derive(Debug, Serialize)]
struct AnswerCredential<'a> {
    name: &'a str,
    what: &'a str,
    path: PathBuf,
    at: AnswerPlace<'a>,
    subject: &'a str,
    /// Whether one of the files has it.
    found: bool,
    /// Whether it is in its file.
    written: bool,
    /// Where it is to be had, where none of the files has it.
    hint: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct AnswerProblem<'a> {
    at: AnswerPlace<'a>,
    message: &'a str,
    help: &'a str,
}

fn place(at: &Place) -> AnswerPlace<'_> {
    let known = |number: usize| (at.line > 0).then_some(number);
    AnswerPlace { file: &at.file, line: known(at.line), column: known(at.column) }
}

/// Reads the files, makes the configuration of them, and writes secrets where it was told to.
pub(in crate::cli) fn run(args: &args::Import, context: &mut Context) -> Outcome {
    let inputs = args.files.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let imported = match import::import(&inputs, &args.credentials) {
        Ok(imported) => imported,
        Err(problems) => return refuse(&problems, context),
    };
    if args.write {
        write_all(&imported.credentials, &args.credentials)?;
    }
    match context.json {
        true => context.printer.json(&answer(&imported, args))?,
        false => {
            context.printer.raw(imported.toml.as_bytes())?;
            tell(&imported, args, context);
        }
    }
    Ok(Exit::Good)
}

fn refuse(problems: &[Problem], context: &mut Context) -> Outcome {
    if context.json {
        let problems = problems.iter().map(problem).collect();
        let none =
            Answer { toml: None, files: Vec::new(), notes: Vec::new(), credentials: Vec::new(), problems };
        context.printer.json(&none)?;
    } else {
        problems.iter().for_each(|problem| context.printer.complain(problem));
    }
    Ok(Exit::Bad)
}

fn problem(problem: &Problem) -> AnswerProblem<'_> {
    AnswerProblem { at: place(&problem.at), message: &problem.message, help: &problem.help }
}

/// A file, not more of it than is read anyway.
fn read(path: &Path) -> Result<Input, CliError> {
    let fail = |e: io::Error| CliError::Failed(format!("cannot read {}: {e}", path.display()));
    let mut bytes = Vec::new();
    let most = import::MAX_BYTES as u64 + 1;
    let name = match path.to_str() {
        Some("-") => {
            io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(fail)?;
            "standard input".to_owned()
        }
        _ => {
            let file = fs::File::open(path).map_err(fail)?;
            file.take(most).read_to_end(&mut bytes).map_err(fail)?;
            path.display().to_string()
        }
    };
    let text = String::from_utf8(bytes).map_err(|_| {
        CliError::Failed(format!("{name} is not UTF-8 text: save it as UTF-8, as every editor can"))
    })?;
    Ok(Input { name, text })
}

/// Writes what is known, each into its own file. Nothing is overwritten: what is there may be newer.
fn write_all(credentials: &[Credential], folder: &Path) -> Result<(), CliError> {
    for credential in credentials {
        let Some(secret) = &credential.secret else { continue };
        let path = folder.join(&credential.name);
        write(&path, secret.reveal()).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => CliError::Failed(format!(
                "{} is there and holds something else; move it away, or name another folder with --credentials",
                path.display()
            )),
            _ => CliError::Failed(format!("cannot write {}: {e}", path.display())),
        })?;
    }
    Ok(())
}

fn write(path: &Path, secret: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            file.write_all(secret.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let mut there = String::new();
            fs::File::open(path)?.take(import::MAX_BYTES as u64).read_to_string(&mut there)?;
            if there.trim_end() == secret.trim_end() { Ok(()) } else { Err(e) }
        }
        Err(e) => Err(e),
    }
}

fn answer<'a>(imported: &'a Imported, args: &args::Import) -> Answer<'a> {
    let credential = |credential: &'a Credential| AnswerCredential {
        name: &credential.name,
        what: credential.what,
        path: args.credentials.join(&credential.name),
        at: place(&credential.at),
        subject: &credential.subject,
        found: credential.secret.is_some(),
        written: args.write && credential.secret.is_some(),
        hint: credential.hint.as_deref(),
    };
    let files = imported.files.iter().map(|(file, what)| AnswerFile { file, taken_for: what });
    let notes = imported.notes.iter().map(|note| AnswerNote {
        kind: note.kind,
        at: place(&note.at),
        subject: &note.subject,
        text: &note.text,
    });
    Answer {
        toml: Some(&imported.toml),
        files: files.collect(),
        notes: notes.collect(),
        credentials: imported.credentials.iter().map(credential).collect(),
        problems: Vec::new(),
    }
}

/// What is to be known beside the file, on standard error.
fn tell(imported: &Imported, args: &args::Import, context: &mut Context) {
    let printer = &mut context.printer;
    for (file, what) in &imported.files {
        printer.complain(format!("{file} is taken for {what}"));
    }
    for kind in NoteKind::ALL {
        let sentences = import::sentences(&imported.notes, kind);
        if !sentences.is_empty() {
            printer.complain(format!("\n{}:", kind.title()));
        }
        sentences.iter().for_each(|sentence| printer.complain(format!("  {sentence}")));
    }
    if !imported.credentials.is_empty() {
        printer.complain("\nSecrets, which are not in the file that was printed:");
    }
    for credential in &imported.credentials {
        let path = args.credentials.join(&credential.name);
        let path = path.display();
        let (subject, at) = (&credential.subject, &credential.at.file);
        printer.complain(match (&credential.secret, args.write) {
            (Some(_), true) => format!("  {subject} of {at} is in {path}"),
            (Some(_), false) => format!(
                "  {subject} of {at}: run this again with --write, or paste it, then Ctrl-D:\n    install -D -m 0600 /dev/stdin {path}"
            ),
            (None, _) => format!(
                "  {}, which none of the files has; paste it, then Ctrl-D:\n    install -D -m 0600 /dev/stdin {path}",
                credential.what
            ),
        });
    }
}
