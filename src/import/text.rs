//! Small translations: sizes, durations, addresses, labels, names.

use std::sync::Arc;

use super::unit::Target;
use crate::model::PoolName;

/// `4g` as Docker reads it: its units are powers of 1024 under either name.
pub(super) fn docker_size(text: &str) -> Option<String> {
    let (number, unit) = split_unit(text)?;
    let unit = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => "",
        "k" | "kb" | "kib" => "KiB",
        "m" | "mb" | "mib" => "MiB",
        "g" | "gb" | "gib" => "GiB",
        "t" | "tb" | "tib" => "TiB",
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

/// `4Gi` and `4G` as Kubernetes reads them.
pub(super) fn kubernetes_size(text: &str) -> Option<String> {
    let (number, unit) = split_unit(text)?;
    let unit = match unit {
        "" => "",
        "Ki" => "KiB",
        "Mi" => "MiB",
        "Gi" => "GiB",
        "Ti" => "TiB",
        "k" => "kB",
        "M" => "MB",
        "G" => "GB",
        "T" => "TB",
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

fn split_unit(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    number.parse::<f64>().is_ok().then(|| (number, unit.trim()))
}

/// `2`, `0.5`, `500m` as a number of processors.
pub(super) fn cores(text: &str) -> Option<String> {
    let text = text.trim();
    let number = match text.strip_suffix('m') {
        Some(thousandths) => thousandths.parse::<f64>().ok()? / 1000.0,
        None => text.parse::<f64>().ok()?,
    };
    (number.is_finite() && number > 0.0).then(|| format!("{number:?}")).filter(|text| !text.contains('e'))
}

/// Seconds as people write them; a unit that stands there already is kept.
pub(super) fn seconds(text: &str) -> Option<String> {
    let text = text.trim();
    let seconds: u64 = match text.strip_suffix('s').unwrap_or(text).parse() {
        Ok(seconds) => seconds,
        Err(_) => return humantime::parse_duration(text).is_ok().then(|| text.to_owned()),
    };
    Some(match seconds {
        0 => "0s".to_owned(),
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    })
}

/// Labels as they stand in one text, less those that every runner has.
pub(super) fn labels<'a>(items: impl IntoIterator<Item = &'a str>) -> (Vec<String>, Vec<String>) {
    let (mut own, mut given) = (Vec::new(), Vec::new());
    for item in items {
        let label = item.trim().to_lowercase();
        let list = match label.as_str() {
            "" => continue,
            "self-hosted" | "linux" | "x64" | "x86_64" | "amd64" | "arm64" | "arm" => &mut given,
            _ => &mut own,
        };
        if !list.contains(&label) {
            list.push(label);
        }
    }
    (own, given)
}

/// GitHub's address, where it is not the usual one, and whom the path behind it names.
pub(super) fn address(text: &str) -> Option<(Option<String>, Target)> {
    let text = text.trim().trim_end_matches('/');
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    let mut parts = rest.split('/').filter(|part| !part.is_empty());
    let host = parts.next().filter(|host| host.contains('.') || host.contains(':'))?;
    let target = match (parts.next()?, parts.next(), parts.next()) {
        ("enterprises", Some(slug), None) => Target::Enterprise(slug.to_owned()),
        ("orgs", Some(org), None) | (org, None, None) => Target::Org(org.to_owned()),
        (owner, Some(name), None) => {
            Target::Repo(format!("{owner}/{}", name.strip_suffix(".git").unwrap_or(name)))
        }
        _ => return None,
    };
    let usual = ["github.com", "www.github.com"].contains(&host.to_ascii_lowercase().as_str());
    Some(((!usual).then(|| format!("{scheme}://{host}")), target))
}

/// Characters of a pool's name, less those of a number behind it.
const LONGEST_NAME: usize = 24;

/// A name for a pool or credential, as near to the text as the rule of such names lets it be.
pub(super) fn slug(text: &str) -> String {
    let mut name = String::new();
    for c in text.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.ends_with('-') && !name.is_empty() {
            name.push('-');
        }
    }
    // Room is left for a number behind it. A name that is cut is cut between words.
    let name = match name.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => name.get(..end).map(|cut| cut.rsplit_once('-').map_or(cut, |(words, _)| words)),
        None => Some(name.as_str()),
    };
    let name = name.unwrap_or_default().trim_end_matches('-');
    if PoolName::parse(name).is_ok() { name.to_owned() } else { "runners".to_owned() }
}

/// The last part of a file's name, without folder and ending.
pub(super) fn stem(file: &Arc<str>) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

/// Whether a text means yes, as these programs read it.
pub(super) fn is_yes(text: &str) -> bool {
    ["1", "true", "yes", "on"].contains(&text.trim().to_ascii_lowercase().as_str())
}

/// The text in lines of so many columns, each after the first with this before it.
pub(super) fn wrapped(text: &str, first: &str, next: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > columns {
            lines.push(std::mem::replace(&mut line, next.to_owned()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_the_meaning_that_they_had() {
        assert_eq!(docker_size("4g").as_deref(), Some("4GiB"));
        assert_eq!(docker_size("512M").as_deref(), Some("512MiB"));
        assert_eq!(kubernetes_size("4Gi").as_deref(), Some("4GiB"));
        assert_eq!(kubernetes_size("4G").as_deref(), Some("4GB"));
        assert_eq!((docker_size("lots"), kubernetes_size("4Q")), (None, None));
    }

    #[test]
    fn processors_and_times_are_written_as_the_file_wants_them() {
        assert_eq!(cores("500m").as_deref(), Some("0.5"));
        assert_eq!(cores("4").as_deref(), Some("4.0"));
        assert_eq!((cores("all"), cores("-1"), cores("nan")), (None, None, None));
        let times: Vec<_> = ["300", "30", "7200", "90s", "5m", "soon"].map(seconds).into_iter().collect();
        let want = [Some("5m"), Some("30s"), Some("2h"), Some("90s"), Some("5m"), None];
        assert_eq!(times, want.map(|time| time.map(str::to_owned)));
    }

    #[test]
    fn an_address_says_whom_runners_serve() {
        let of = |text| address(text).unwrap();
        assert_eq!(of("https://github.com/acme/app.git"), (None, Target::Repo("acme/app".into())));
        assert_eq!(of("https://github.com/acme/"), (None, Target::Org("acme".into())));
        assert_eq!(
            of("https://git.example/enterprises/inc"),
            (Some("https://git.example".into()), Target::Enterprise("inc".into()))
        );
        assert_eq!((address("acme/app"), address("https://github.com")), (None, None));
    }

    #[test]
    fn any_text_gives_a_name() {
        assert_eq!(slug("post-merge-verifier-runner"), "post-merge-verifier");
        for (text, name) in [("My_App.js", "my-app-js"), ("--", "runners"), ("Größe", "gr-e"), ("x", "x")] {
            assert_eq!(slug(text), name);
        }
    }
}
