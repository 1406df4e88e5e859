//! Files in the state directory.

use std::io::Write as _;
use std::path::Path;

/// Writes beside the file and renames over it. Nothing waits for the disk: what a power cut loses may be lost.
pub(super) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}
