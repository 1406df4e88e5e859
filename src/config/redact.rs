//! Hides what must not be seen where a line of the file is shown.
//!
//! A token pasted in the wrong place is an error, and an error shows its line: in the journal, over the API. So every
//! text on its way out passes here first. Lengths stay as they are, so that places stay right.

use std::borrow::Cow;

/// GitHub's own marks of its tokens.
const TOKENS: [&str; 6] = ["github_pat_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"];

/// Keys whose value is hidden if it is a plain text.
const SECRET_KEYS: [&str; 6] = ["token", "secret", "password", "passwd", "private_key", "api_key"];

/// Keys whose value is a list of places of secrets: a plain text in it is hidden.
const SECRET_LISTS: [&str; 2] = ["read", "operate"];

/// The text with tokens, private keys, passwords in URLs and values of secret-sounding keys starred out.
pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    let mut spans = Vec::new();
    tokens(text, &mut spans);
    private_keys(text, &mut spans);
    url_passwords(text, &mut spans);
    secret_values(text, &mut spans);
    if spans.is_empty() {
        return Cow::Borrowed(text);
    }
    let hidden = text.char_indices().fold(String::with_capacity(text.len()), |mut out, (at, c)| {
        if c != '\n' && spans.iter().any(|(start, end)| (*start..*end).contains(&at)) {
            (0..c.len_utf8()).for_each(|_| out.push('*'));
        } else {
            out.push(c);
        }
        out
    });
    Cow::Owned(hidden)
}

/// Whether a variable of this name likely holds a secret.
pub(crate) fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_KEYS.iter().any(|word| name.contains(word))
}

/// Keys whose value is a table of places of secrets: a plain text in it is hidden.
const SECRET_TABLES: [&str; 1] = ["headers"];

/// What a place of a secret says of it.
const PLACES: [&str; 3] = ["credential", "file", "env"];

type Spans = Vec<(usize, usize)>;

fn tokens(text: &str, spans: &mut Spans) {
    for mark in TOKENS {
        for (at, _) in text.match_indices(mark) {
            let start = at + mark.len();
            let length = text.as_bytes()[start..]
                .iter()
                .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
                .count();
            spans.push((start, start + length));
        }
    }
}

fn private_keys(text: &str, spans: &mut Spans) {
    for (at, mark) in text.match_indices("-----BEGIN") {
        let start = at + mark.len();
        let rest = text.get(start..).unwrap_or_default();
        spans.push((start, start + rest.find("-----END").unwrap_or(rest.len())));
    }
}

fn url_passwords(text: &str, spans: &mut Spans) {
    for (at, mark) in text.match_indices("://") {
        let start = at + mark.len();
        let rest = text.get(start..).unwrap_or_default();
        let end = rest.find(['/', '"', '\'', '\n', ' ']).unwrap_or(rest.len());
        if let Some(sign) = rest.get(..end).and_then(|authority| authority.rfind('@')) {
            spans.push((start, start + sign));
        }
    }
}

/// `…token… = "value"`: from behind the quote to the end of the line.
fn secret_values(text: &str, spans: &mut Spans) {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let mut in_table = false;
        for (sign, _) in line.match_indices('=') {
            let (before, after) = line.split_at(sign);
            let key = before.trim_end().rsplit(['{', ',', ' ', '\t', '.']).next().unwrap_or_default();
            let value = after.get(1..).unwrap_or_default();
            let blank = value.len() - value.trim_start().len();
            let listed = SECRET_LISTS.contains(&key);
            in_table |= SECRET_TABLES.contains(&key);
            let held = in_table && !PLACES.contains(&key);
            let opening = value.trim_start_matches([' ', '\t', '[']);
            if listed && opening.starts_with(['"', '\'']) {
                let blank = value.len() - opening.len();
                spans.push((offset + sign + 2 + blank, offset + line.trim_end().len()));
            }
            if (sounds_secret(key) || held) && value.trim_start().starts_with(['"', '\'']) {
                spans.push((offset + sign + 2 + blank, offset + line.trim_end().len()));
            }
        }
        offset += line.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_starred_and_lengths_stay() {
        for (text, shown) in [
            ("x = \"ghp_abc1\"", "x = \"ghp_****\""),
            ("token = \"abcd\" # c", "token = \"*********"),
            ("proxy = \"http://me:pw@host:1/\"", "proxy = \"http://*****@host:1/\""),
            ("a = { MY_PASSWORD = 'x' }", "a = { MY_PASSWORD = '****"),
            ("token = { credential = \"github-token\" }", "token = { credential = \"github-token\" }"),
            ("operate = [\"abcd\"]", "operate = [\"******"),
            ("headers = { x-team = \"abc\" }", "headers = { x-team = \"******"),
            ("headers = { a = { env = \"X\" } }", "headers = { a = { env = \"X\" } }"),
            ("read = [{ credential = \"api-read\" }]", "read = [{ credential = \"api-read\" }]"),
            ("-----BEGIN KEY-----\nabc\n-----END", "-----BEGIN*********\n***\n-----END"),
        ] {
            assert_eq!(redact(text), shown);
            assert_eq!(redact(text).len(), text.len());
        }
    }
}
