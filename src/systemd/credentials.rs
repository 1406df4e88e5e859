//! Where secrets come from: systemd's credentials (systemd.exec(5), `LoadCredential=`), files, the environment.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use crate::config::SecretSource;
use crate::model::Secret;

/// More is no token and no key: 1 MiB is systemd's own limit for all credentials of a unit.
const MAX_BYTES: u64 = 1024 * 1024;

/// The copies that systemd gives the running service: root and the service's user can read them.
const OF_THE_SERVICE: &str = "/run/credentials/ghrunner.service";

/// Where the unit takes them from, one file for each.
const KEPT_IN: &str = "/etc/ghrunner/credentials";

/// Why a secret cannot be had: where it was looked for, and what to write where. Never holds any of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The service manager gave no credentials at all.
    #[error(
        "credential {name} was not given: $CREDENTIALS_DIRECTORY is not set; the unit needs `LoadCredential={name}:{KEPT_IN}/{name}`, or the file must name {{ file = \"…\" }} or {{ env = \"…\" }}"
    )]
    NoDirectory {
        /// The credential's name.
        name: String,
    },
    /// Others were given, not this one.
    #[error("credential {name} is not in {}; the unit needs `LoadCredential={name}:{KEPT_IN}/{name}` in a drop-in, and a restart", .directory.display())]
    NotGiven {
        /// The credential's name.
        name: String,
        /// Where systemd put the unit's credentials.
        directory: PathBuf,
    },
    /// It was given, and there is nothing in it: the unit gives empty ones for files that are not there.
    #[error(
        "credential {name} is empty; write the secret to {KEPT_IN}/{name} and `systemctl restart ghrunner`"
    )]
    NotWritten {
        /// The credential's name.
        name: String,
    },
    /// The name would leave the directory.
    #[error("{name:?} is no credential's name: it may hold no slash")]
    BadName {
        /// The name.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {why}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The variable is not set.
    #[error("the environment has no {name}; set it in the unit, or name another place for the secret")]
    NoVariable {
        /// The variable.
        name: String,
    },
    /// There is nothing in it.
    #[error("{place} is empty; write the secret there")]
    Empty {
        /// Where it was looked for.
        place: String,
    },
    /// It is no text.
    #[error("{place} holds bytes that are no text")]
    NotText {
        /// Where it was looked for.
        place: String,
    },
}

/// A secret, and what is unwise about the way it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The secret.
    pub secret: Secret,
    /// A sentence for the log, if there is something to say.
    pub warning: Option<String>,
}

/// Finds secrets where the configuration says they are.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    directory: Option<PathBuf>,
}

impl Secrets {
    /// With the credentials that the service manager gave this process.
    pub fn from_env() -> Self {
        Self { directory: env::var_os("CREDENTIALS_DIRECTORY").filter(|d| !d.is_empty()).map(PathBuf::from) }
    }

    /// For a command typed by hand: with what it was given, else with what the running service was given (systemd.exec(5),
    /// `LoadCredential=`), else, before its first start, with what it would be given.
    pub fn for_operator() -> Self {
        let own = Self::from_env();
        let there = [OF_THE_SERVICE, KEPT_IN].into_iter().map(Path::new).find(|dir| dir.is_dir());
        match there {
            Some(directory) if own.directory.is_none() => Self::in_directory(directory),
            _ => own,
        }
    }

    /// With credentials from this directory.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self { directory: Some(directory.into()) }
    }

    /// The credential of this name.
    ///
    /// # Errors
    /// It was not given, or cannot be read; says which line the unit needs.
    pub fn credential(&self, name: &str) -> Result<Secret, CredentialError> {
        let name = name.to_owned();
        if name.is_empty() || name.contains('/') || name == "." || name == ".." {
            return Err(CredentialError::BadName { name });
        }
        let Some(directory) = &self.directory else { return Err(CredentialError::NoDirectory { name }) };
        let path = directory.join(&name);
        match path.try_exists() {
            Ok(false) if directory == Path::new(KEPT_IN) => return Err(CredentialError::NotWritten { name }),
            Ok(false) if directory.exists() => {
                return Err(CredentialError::NotGiven { name, directory: directory.clone() });
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let why = "only root and the service's user may; run this as root".to_owned();
                return Err(CredentialError::Unreadable { path, why });
            }
            _ => {}
        }
        read(&path).map_err(|error| match error {
            CredentialError::Empty { .. } => CredentialError::NotWritten { name },
            other => other,
        })
    }

    /// The secret at this place. It is read anew each time, so that a rotated one is taken without a restart (a
    /// credential's copy changes only with one).
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    pub fn resolve(&self, source: &SecretSource) -> Result<Resolved, CredentialError> {
        match source {
            SecretSource::Credential(name) => {
                self.credential(name).map(|secret| Resolved { secret, warning: None })
            }
            SecretSource::File(path) => {
                let secret = read(path)?;
                Ok(Resolved { secret, warning: exposed(path) })
            }
            SecretSource::Env(name) => variable(name).map(|secret| Resolved { secret, warning: None }),
        }
    }
}

fn read(path: &Path) -> Result<Secret, CredentialError> {
    use io::Read;
    let unreadable = |e: io::Error| CredentialError::Unreadable { path: path.to_owned(), why: words(&e) };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        let why = "it is larger than 1 MiB, which no token or key is".to_owned();
        return Err(CredentialError::Unreadable { path: path.to_owned(), why });
    }
    let place = path.display().to_string();
    let text = String::from_utf8(bytes).map_err(|_| CredentialError::NotText { place: place.clone() })?;
    secret(text, place)
}

/// The system's words, with what to do about the usual mistakes.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file; write the secret there".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder; name the file in it".to_owned(),
        io::ErrorKind::PermissionDenied => {
            let user = nix::unistd::geteuid();
            format!("user {user} may not read it; `chown {user}` it, or give it as a credential of the unit")
        }
        _ => error.to_string(),
    }
}

fn variable(name: &str) -> Result<Secret, CredentialError> {
    let place = format!("the environment's {name}");
    match env::var(name) {
        Ok(text) => secret(text, place),
        Err(env::VarError::NotPresent) => Err(CredentialError::NoVariable { name: name.to_owned() }),
        Err(env::VarError::NotUnicode(_)) => Err(CredentialError::NotText { place }),
    }
}

fn secret(text: String, place: String) -> Result<Secret, CredentialError> {
    if text.trim().is_empty() { Err(CredentialError::Empty { place }) } else { Ok(Secret::new(text)) }
}

/// What to say of a file that others can read.
fn exposed(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o004 != 0).then(|| {
        let path = path.display();
        format!("{path} holds a secret and every user of this machine can read it; `chmod 600 {path}`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_read_without_its_line_end() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("github-token"), "ghp_x\n").unwrap();
        let secrets = Secrets::in_directory(dir.path());
        assert_eq!(secrets.credential("github-token").unwrap().reveal(), "ghp_x");
    }

    #[test]
    fn what_is_missing_is_said_with_the_line_that_mends_it() {
        let none = Secrets::default().credential("github-token").unwrap_err().to_string();
        assert!(
            none.contains("LoadCredential=github-token:/etc/ghrunner/credentials/github-token"),
            "{none}"
        );
        let dir = tempfile::tempdir().unwrap();
        let other = Secrets::in_directory(dir.path()).credential("t").unwrap_err().to_string();
        assert!(other.contains(&dir.path().display().to_string()), "{other}");
        assert!(other.contains("LoadCredential=t:"), "{other}");
    }

    #[test]
    fn an_empty_credential_names_the_file_to_write() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("github-token"), "\n").unwrap();
        let empty = Secrets::in_directory(dir.path()).credential("github-token").unwrap_err().to_string();
        assert!(empty.contains("write the secret to /etc/ghrunner/credentials/github-token and"), "{empty}");
    }

    #[test]
    fn a_name_cannot_leave_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["../shadow", "/etc/shadow", "", ".."] {
            let error = Secrets::in_directory(dir.path()).credential(name).unwrap_err();
            assert!(matches!(error, CredentialError::BadName { .. }), "{name}");
        }
    }

    #[test]
    fn a_file_that_all_can_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "ghp_x").unwrap();
        let resolve = || Secrets::default().resolve(&SecretSource::File(path.clone())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(resolve().warning.unwrap().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(resolve().warning, None);
    }

    #[test]
    fn emptiness_and_noise_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        for (bytes, want) in [(&b"\n"[..], "is empty"), (&b"\xff\xfe"[..], "no text")] {
            let path = dir.path().join("token");
            fs::write(&path, bytes).unwrap();
            let error = Secrets::default().resolve(&SecretSource::File(path)).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
        let absent = SecretSource::Env("GHRUNNER_NO_SUCH_VARIABLE".to_owned());
        assert!(Secrets::default().resolve(&absent).is_err());
    }
}
