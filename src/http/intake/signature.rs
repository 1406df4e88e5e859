//! `X-Hub-Signature-256`: who holds the secret signed exactly these bytes.
//!
//! <https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries>

use axum::http::HeaderMap;
use ring::hmac;

use crate::model::Secret;

/// A signature as it was sent.
pub(super) struct Signature([u8; 32]);

impl Signature {
    /// The request's signature, if it has one.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let hex = headers.get("x-hub-signature-256")?.as_bytes().strip_prefix(b"sha256=")?;
        let mut bytes = [0; 32];
        if hex.len() != 2 * bytes.len() {
            return None;
        }
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(bytes))
    }

    /// Whether one of the secrets made it for this body. Compared in constant time.
    pub(super) fn is_good(&self, body: &[u8], secrets: &[Secret]) -> bool {
        // An empty secret would be known to everybody.
        secrets.iter().filter(|secret| !secret.is_empty()).any(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
            hmac::verify(&key, body, &self.0).is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's page.
    const BODY: &[u8] = b"Hello, World!";
    const SECRET: &str = "It's a Secret to Everybody";
    const SIGNED: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn signature(value: &str) -> Option<Signature> {
        let mut headers = HeaderMap::new();
        headers.insert("x-hub-signature-256", value.parse().unwrap());
        Signature::of(&headers)
    }

    #[test]
    fn githubs_example_is_good() {
        let good = |secrets: &[&str], body: &[u8]| {
            let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
            signature(SIGNED).unwrap().is_good(body, &secrets)
        };
        assert!(good(&[SECRET], BODY));
        assert!(good(&["another", SECRET], BODY), "each of several is good");
        assert!(!good(&["another"], BODY));
        assert!(!good(&[SECRET], b"Hello, World?"));
        assert!(!good(&[], BODY));
        assert!(
            signature(&SIGNED.to_uppercase().replace("SHA", "sha"))
                .unwrap()
                .is_good(BODY, &[Secret::new(SECRET)])
        );
    }

    #[test]
    fn an_empty_secret_signs_nothing() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"");
        let tag: [u8; 32] = hmac::sign(&key, BODY).as_ref().try_into().unwrap();
        assert!(!Signature(tag).is_good(BODY, &[Secret::new("")]));
    }

    #[test]
    fn what_is_no_signature_is_none() {
        let short = &SIGNED[..SIGNED.len() - 1];
        for bad in [
            "",
            "sha256=",
            short,
            &SIGNED.replace("sha256", "sha1"),
            &SIGNED.replace('7', "g"),
            &format!("{SIGNED}00"),
        ] {
            assert!(signature(bad).is_none(), "{bad}");
        }
        assert!(Signature::of(&HeaderMap::new()).is_none());
    }
}
