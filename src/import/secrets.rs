//! Which values are secrets, so that none of them leaves by a text.

use crate::config::redact;
use crate::config::sounds_secret;
use crate::model::Secret;

/// Words in a name behind which a secret may stand, beside those that the configuration's own check knows.
const WORDS: [&str; 9] = ["PASS", "PWD", "AUTH", "CRED", "CERT", "COOKIE", "KEY", "PAT", "DSN"];

/// Names that sound like a secret and hold the name or the place of one.
const NOT_SECRET: [&str; 6] = [
    "GITHUBCONFIGSECRET",
    "SECRETNAME",
    "CREDENTIALSECRETREF",
    "IMAGEPULLSECRETS",
    "SECRETKEYREF",
    "SECRETREF",
];

/// Ends of a name that speak of where a secret is.
const PLACES: [&str; 6] = ["_FILE", "_PATH", "_DIR", "_NAME", "_ID", "_VARS"];

/// Whether a value of this name is to be treated as a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    if NOT_SECRET.contains(&upper.as_str()) || PLACES.iter().any(|end| upper.ends_with(end)) {
        return false;
    }
    let parts: Vec<&str> = upper.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    sounds_secret(name) || parts.iter().any(|part| WORDS.iter().any(|word| part.ends_with(word)))
}

/// Shorter texts are no secret of GitHub's, and starring them out would spoil every sentence.
const SHORTEST: usize = 6;

/// All values that may not be seen.
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<Secret>);

impl Secrets {
    pub(super) fn add(&mut self, value: &str) {
        let value = value.trim();
        let plain = value.starts_with("${") || value.starts_with('$') || value.parse::<f64>().is_ok();
        if value.len() >= SHORTEST && !plain && !["true", "false"].contains(&value) {
            self.0.push(Secret::new(value));
        }
    }

    /// Values behind names that sound like a secret, line by line: this holds for a text that cannot be read, too.
    pub(super) fn scan(&mut self, text: &str) {
        for line in text.lines() {
            for (at, sign) in line.match_indices(['=', ':']) {
                let name = line[..at].trim_end().trim_end_matches(['"', '\'']);
                let name = name.rsplit(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c))).next();
                if name.is_some_and(|name| !name.is_empty() && is_secret(name)) {
                    let value = line[at + sign.len()..].trim();
                    self.add(value.trim_matches(['"', '\'']));
                    self.add(
                        value.split(" #").next().unwrap_or_default().trim_matches(['"', '\'', ' ', ',', '}']),
                    );
                }
            }
        }
    }

    /// Whether a text holds one of them, or what looks like one.
    pub(super) fn stand_in(&self, text: &str) -> bool {
        redact(text) != text || self.0.iter().any(|secret| text.contains(secret.reveal()))
    }

    /// The text with all of them starred out.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut text = redact(text).into_owned();
        for secret in &self.0 {
            if text.contains(secret.reveal()) {
                text = text.replace(secret.reveal(), "***");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_names_of_their_places() {
        for name in ["GITHUB_TOKEN", "github_app_private_key", "GH_PAT", "DB_PASS", "npm_auth", "SSH_KEY"] {
            assert!(is_secret(name), "{name}");
        }
        for name in
            ["token_file", "githubConfigSecret", "PATH", "APP_ID", "RUNNER_NAME", "KEYBOARD", "AUTHOR"]
        {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn what_stands_behind_such_a_name_is_starred_wherever_it_comes_again() {
        let mut secrets = Secrets::default();
        secrets.scan("  - WEBHOOK_SECRET=hunter22hunter # mine\n  github_token: \"abcdefgh\"\n");
        assert_eq!(secrets.hide("x hunter22hunter abcdefgh ghp_zzzz"), "x *** *** ghp_****");
        assert!(!secrets.stand_in("acme/app"));
    }
}
