//! Copies of what a change of mode is made from: the configuration, the mode, the marks.

use std::fs;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;

use crate::config::drop_ins;
use crate::model::Time;

/// Files of the state directory that say where runners register.
const STATE: [&str; 2] = ["mode.toml", "marks.toml"];

/// Copies all of it into a new folder of `under`, which only its owner can read, and gives that folder. A mode that was
/// never changed has no file, and is left out.
///
/// # Errors
/// Something cannot be read or written; says what.
pub(super) fn backup(
    under: &Path,
    config: &Path,
    state: Option<&Path>,
    now: Time,
) -> Result<PathBuf, String> {
    let fail =
        |what: &str, path: &Path, error: &io::Error| format!("cannot {what} {}: {error}", path.display());
    let folder = new_folder(under, now).map_err(|error| fail("make a folder in", under, &error))?;
    let copy = |from: &Path, to: PathBuf| fs::copy(from, &to).map_err(|error| fail("copy", from, &error));
    copy(config, folder.join(config.file_name().unwrap_or("pools.toml".as_ref())))?;
    let parts = drop_ins(config).map_err(|error| fail("list the drop-ins of", config, &error))?;
    if !parts.is_empty() {
        let inner = folder.join("pools.d");
        fs::create_dir(&inner).map_err(|error| fail("make", &inner, &error))?;
        for part in parts {
            copy(&part, inner.join(part.file_name().unwrap_or_default()))?;
        }
    }
    for name in STATE {
        if let Some(file) = state.map(|state| state.join(name)).filter(|file| file.exists()) {
            copy(&file, folder.join(name))?;
        }
    }
    Ok(folder)
}

/// A folder named after the time; another one of the same second gets a number.
fn new_folder(under: &Path, now: Time) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(under)?;
    let time = now.to_string().replace([':', '.'], "-");
    let mut number = 1;
    loop {
        let name = if number == 1 { time.clone() } else { format!("{time}-{number}") };
        match DirBuilder::new().mode(0o700).create(under.join(&name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 100 => number += 1,
            made => return made.map(|()| under.join(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn all_is_copied_into_a_new_folder_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("etc/pools.d")).unwrap();
        fs::create_dir_all(at("state")).unwrap();
        for (file, text) in [("etc/pools.toml", "a"), ("etc/pools.d/1.toml", "b"), ("state/mode.toml", "c")] {
            fs::write(at(file), text).unwrap();
        }
        let now = Time::from_secs(1_700_000_000);
        let make = || backup(&at("backups"), &at("etc/pools.toml"), Some(&at("state")), now).unwrap();
        let (first, second) = (make(), make());
        assert_ne!(first, second, "none is written over");
        let read = |name: &str| fs::read_to_string(first.join(name)).unwrap();
        assert_eq!(
            (read("pools.toml"), read("pools.d/1.toml"), read("mode.toml")),
            ("a".into(), "b".into(), "c".into())
        );
        assert!(!first.join("marks.toml").exists(), "what is not there is left out");
        assert_eq!(fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("pools.toml");
        fs::create_dir(&config).unwrap();
        let error = backup(&dir.path().join("b"), &config, None, Time::from_secs(1)).unwrap_err();
        assert!(error.contains("pools.toml"), "{error}");
    }
}
