//! A text that must not be seen.

use std::fmt;

/// A token, key or registration. `Debug` and `Display` mask it; only [`Secret::reveal`] gives it away, so that a
/// search for that word finds every place where one leaves the process.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps the text, without the line end that files and `echo` leave behind it.
    pub fn new(text: impl Into<String>) -> Self {
        let text: String = text.into();
        Self(text.trim_end_matches(['\n', '\r']).to_owned())
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_itself_and_loses_the_line_end() {
        let secret = Secret::new("ghp_abc\n");
        assert_eq!(format!("{secret} {secret:?}"), "*** Secret(***)");
        assert_eq!(secret.reveal(), "ghp_abc");
    }
}
