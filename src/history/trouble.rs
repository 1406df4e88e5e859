//! What an error of the database means for whoever has to go on.

use std::time::Duration;

/// How to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Try again later: away, slow, locked, full.
    Wait,
    /// Try again later, with new connections.
    Reopen,
    /// The file is damaged: set it aside, and begin a new one.
    SetAside,
    /// The database refuses what was written, and would again.
    Skip,
}

/// What is wrong, in words, and how to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) text: String,
    pub(super) remedy: Remedy,
}

/// A file that is another one than was opened, or none.
pub(super) fn vanished(path: &str) -> Trouble {
    Trouble { text: format!("{path} is no longer the file that was opened"), remedy: Remedy::Reopen }
}

/// Nothing came back in time.
pub(super) fn slow(patience: Duration) -> Trouble {
    Trouble {
        text: format!("the database did not answer within {} s", patience.as_secs()),
        remedy: Remedy::Wait,
    }
}

/// The primary codes of <https://sqlite.org/rescode.html>; an extended one has them in its lowest byte.
fn sqlite(code: &str) -> Option<Trouble> {
    let code = code.parse::<u32>().ok()? & 0xff;
    let (text, remedy) = match code {
        11 => ("the database file is damaged", Remedy::SetAside),
        26 => ("the file is no database", Remedy::SetAside),
        13 => ("the database is full: its disk, or [history] max_size", Remedy::Wait),
        5 | 6 => ("the database is locked by another process", Remedy::Wait),
        8 => ("the database may only be read", Remedy::Wait),
        10 => ("the database's disk fails, or is full", Remedy::Wait),
        14 => ("the database file cannot be opened", Remedy::Wait),
        _ => return None,
    };
    Some(Trouble { text: text.to_owned(), remedy })
}

/// The classes of <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn postgres(code: &str) -> Option<Remedy> {
    match code.get(..2)? {
        // A value that the table does not take.
        "22" | "23" => Some(Remedy::Skip),
        _ => Some(Remedy::Wait),
    }
}

/// What an error means.
pub(super) fn of(error: &sqlx::Error, is_sqlite: bool) -> Trouble {
    let sqlx::Error::Database(refused) = error else {
        let remedy = match error {
            sqlx::Error::PoolTimedOut => Remedy::Reopen,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Remedy::Skip,
            _ => Remedy::Wait,
        };
        return Trouble { text: in_words(error), remedy };
    };
    let code = refused.code().unwrap_or_default();
    let message = refused.message().to_owned();
    if !is_sqlite {
        let remedy = postgres(&code).unwrap_or(Remedy::Wait);
        return Trouble { text: format!("PostgreSQL says: {message}"), remedy };
    }
    sqlite(&code).unwrap_or(Trouble { text: format!("SQLite says: {message}"), remedy: Remedy::Skip })
}

/// No word of an address: it may hold a password.
fn in_words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(_) => "the database's address makes no sense".to_owned(),
        sqlx::Error::PoolTimedOut => "the database does not answer".to_owned(),
        sqlx::Error::Io(error) => format!("the database cannot be reached: {error}"),
        sqlx::Error::Tls(_) => "the database's certificate is refused, or it speaks no TLS".to_owned(),
        sqlx::Error::Migrate(error) => format!("its tables cannot be brought up to date: {error}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_damage_sets_a_file_aside() {
        let remedy = |code: u32| sqlite(&code.to_string()).map(|trouble| trouble.remedy);
        // Corrupt, no database, and a corrupt index as an extended code.
        assert_eq!([11, 26, 779].map(remedy), [Some(Remedy::SetAside); 3]);
        // Full, busy, locked, read-only, I/O errors of several kinds, cannot be opened.
        assert_eq!([13, 5, 6, 8, 10, 266, 14].map(remedy), [Some(Remedy::Wait); 7]);
        assert_eq!(remedy(19), None);
        assert_eq!(postgres("23505"), Some(Remedy::Skip));
        assert_eq!(postgres("53100"), Some(Remedy::Wait));
    }
}
