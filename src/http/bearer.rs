//! Credentials of the API over TCP, kept so that they can only be recognized.

use std::sync::Arc;

use ring::hmac;
use ring::rand::SystemRandom;

use super::Role;
use crate::model::Secret;

/// The credentials that are known. What they are cannot be had from here: only tags of them are kept, under a key of
/// this process.
pub struct Bearers {
    key: Option<hmac::Key>,
    known: Vec<Known>,
}

struct Known {
    name: Arc<str>,
    role: Role,
    tag: hmac::Tag,
}

impl std::fmt::Debug for Bearers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.known.iter().map(|known| (&known.name, known.role))).finish()
    }
}

impl Default for Bearers {
    fn default() -> Self {
        Self::new([])
    }
}

impl Bearers {
    /// These, each with its name. An empty one would be known to everybody, and is none.
    pub fn new(credentials: impl IntoIterator<Item = (String, Role, Secret)>) -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok();
        let tagged = credentials.into_iter().filter(|(.., secret)| !secret.reveal().trim().is_empty());
        let known = tagged.filter_map(|(name, role, secret)| {
            let tag = hmac::sign(key.as_ref()?, secret.reveal().trim().as_bytes());
            Some(Known { name: name.into(), role, tag })
        });
        Self { known: known.collect(), key }
    }

    /// Whose credential an `Authorization` header's value shows. All are looked at whatever the first ones are, and each
    /// is compared in constant time; of several that fit the highest role counts.
    pub(super) fn recognize(&self, header: &[u8]) -> Option<(Arc<str>, Role)> {
        let (scheme, given) = header.split_at_checked(b"Bearer ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Bearer ") {
            return None;
        }
        let given = given.trim_ascii();
        let key = self.key.as_ref()?;
        let fits = |known: &&Known| hmac::verify(key, given, known.tag.as_ref()).is_ok();
        let all: Vec<&Known> = self.known.iter().filter(fits).collect();
        all.into_iter().max_by_key(|known| known.role).map(|known| (Arc::clone(&known.name), known.role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearers() -> Bearers {
        let one = |name: &str, role, secret: &str| (name.to_owned(), role, Secret::new(secret));
        Bearers::new([
            one("scripts", Role::Read, "looks"),
            one("ops", Role::Operate, "steers\n"),
            one("empty", Role::Operate, " \n"),
            one("same", Role::Operate, "looks-and-steers"),
            one("twice", Role::Read, "looks-and-steers"),
        ])
    }

    #[test]
    fn a_credential_is_recognized_whole_and_by_its_role() {
        let bearers = bearers();
        let role =
            |header: &str| bearers.recognize(header.as_bytes()).map(|(name, role)| (name.to_string(), role));
        assert_eq!(role("Bearer looks"), Some(("scripts".to_owned(), Role::Read)));
        assert_eq!(role("bearer  steers "), Some(("ops".to_owned(), Role::Operate)));
        assert_eq!(role("Bearer looks-and-steers"), Some(("same".to_owned(), Role::Operate)));
        for bad in
            ["", "Bearer", "Bearer ", "Bearer look", "Bearer lookss", "Basic looks", "looks", "Bearerlooks"]
        {
            assert_eq!(role(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_kept_shows_no_secret() {
        let text = format!("{:?}", bearers());
        assert!(text.contains("scripts") && !text.contains("looks"), "{text}");
    }
}
