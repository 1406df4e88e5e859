//! The form of an image reference: `[registry[:port]/]path[:tag][@digest]`, as the distribution project defines it.

use super::super::Syntax;
use super::require;

pub(crate) static IMAGE: Syntax = Syntax { what: "an image such as \"ghcr.io/acme/runner:1\"", check: image };

/// An image reference's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImageParts<'a> {
    pub(crate) name: &'a str,
    pub(crate) tag: Option<&'a str>,
    pub(crate) digest: Option<&'a str>,
}

/// Splits without checking.
pub(crate) fn image_parts(text: &str) -> ImageParts<'_> {
    let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
    let slash = rest.rfind('/').map_or(0, |at| at + 1);
    match rest.get(slash..).and_then(|last| last.find(':')) {
        Some(colon) => {
            let (name, tag) = rest.split_at(slash + colon);
            ImageParts { name, tag: tag.get(1..), digest }
        }
        None => ImageParts { name: rest, tag: None, digest },
    }
}

fn image(text: &str) -> Result<(), String> {
    let parts = image_parts(text);
    let (host, path) = match parts.name.split_once('/') {
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), path),
        _ => (None, parts.name),
    };
    require(!text.contains("://"), || format!("{text:?} has a scheme; write the image without it"))?;
    if let Some(host) = host {
        let fine = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b));
        require(fine, || format!("{text:?} names a registry {host:?}, which is no host"))?;
    }
    require(!path.bytes().any(|b| b.is_ascii_uppercase()), || {
        format!("image names are lower-case: {path:?} is not")
    })?;
    require(path.len() <= 255 && path.split('/').all(is_component), || {
        format!("{text:?} is no image; write [registry/]name[:tag] or name@sha256:…")
    })?;
    parts.tag.map_or(Ok(()), |tag| {
        require(is_tag(tag), || format!("{tag:?} is no image tag; use letters, digits, dots and dashes"))
    })?;
    parts.digest.map_or(Ok(()), |digest| {
        require(is_digest(digest), || {
            format!("{digest:?} is no digest; write sha256: and 64 hexadecimal digits")
        })
    })
}

/// Lower-case letters and digits, with `.`, `_`, `__` or dashes between them.
fn is_component(text: &str) -> bool {
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    edge(text.bytes().next())
        && edge(text.bytes().last())
        && text.bytes().all(|b| edge(Some(b)) || b"._-".contains(&b))
        && !["..", "___", "._", "_.", "-.", ".-", "-_", "_-"].iter().any(|pair| text.contains(pair))
}

fn is_tag(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_follow_the_reference_grammar() {
        let digest = format!("alpine@sha256:{}", "a".repeat(64));
        for good in [
            "alpine",
            "alpine:3",
            "ghcr.io/acme/runner:v1.2",
            "localhost:5000/a",
            "reg.example:5000/a/b__c:x",
            &digest,
        ] {
            assert_eq!(image(good), Ok(()), "{good}");
        }
        for bad in
            ["", "Alpine", "a:", "a:b:c", "a//b", "https://ghcr.io/a", "a@sha256:12", "a b", "-a", "a..b"]
        {
            assert!(image(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(image_parts("localhost:5000/a").tag, None);
        assert_eq!(image_parts("localhost:5000/a:b").tag, Some("b"));
    }
}
