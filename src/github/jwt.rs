//! How a GitHub App says who it is: a JWT signed with its private key.
//!
//! <https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::RSA_PKCS1_SHA256;
use ring::signature::RsaKeyPair;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::model::Secret;
use crate::model::Time;

/// `iat` lies so far in the past, against clocks that run apart.
const BACKDATED: Duration = Duration::from_secs(60);
/// GitHub allows ten minutes from now on.
const LIFETIME: Duration = Duration::from_secs(9 * 60);

/// An App's private key.
pub(super) struct AppKey(RsaKeyPair);

impl AppKey {
    /// Reads PEM, `BEGIN RSA PRIVATE KEY` as GitHub gives it out, or PKCS#8.
    pub(super) fn parse(pem: &Secret) -> Result<Self, String> {
        let der = PrivateKeyDer::from_pem_slice(pem.reveal().as_bytes())
            .map_err(|_| "is no private key in PEM form".to_owned())?;
        let pair = match &der {
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            _ => return Err("is a private key, but none for RSA".to_owned()),
        };
        pair.map(Self).map_err(|why| format!("is no RSA key that can sign: {why}"))
    }

    /// A JWT for the App (`iss`: its id or client id).
    pub(super) fn jwt(&self, app: &str, now: Time) -> Result<Secret, String> {
        let signed =
            format!("{}.{}", encode(br#"{"alg":"RS256","typ":"JWT"}"#), encode(claims(app, now).as_bytes()));
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| "cannot sign".to_owned())?;
        Ok(Secret::new(format!("{signed}.{}", encode(&signature))))
    }
}

/// The claims, as JSON.
fn claims(app: &str, now: Time) -> String {
    let issued = now - BACKDATED;
    serde_json::json!({ "iat": issued.0 / 1000, "exp": (issued + LIFETIME).0 / 1000, "iss": app }).to_string()
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PKCS1: &str = include_str!("../../tests/github/app-pkcs1.pem");
    const PKCS8: &str = include_str!("../../tests/github/app-pkcs8.pem");

    #[test]
    fn claims_are_backdated_and_short_lived() {
        let claims: serde_json::Value =
            serde_json::from_str(&claims("Iv23abc", Time::from_secs(1_000_000))).unwrap();
        assert_eq!(claims, serde_json::json!({ "iat": 999_940, "exp": 1_000_480, "iss": "Iv23abc" }));
    }

    #[test]
    fn both_forms_of_a_key_sign_alike_and_verify() {
        let now = Time::from_secs(1_700_000_000);
        let first = AppKey::parse(&Secret::new(PKCS1)).unwrap();
        let token = first.jwt("77", now).unwrap();
        let other = AppKey::parse(&Secret::new(PKCS8)).unwrap().jwt("77", now).unwrap();
        assert_eq!(token.reveal(), other.reveal(), "PKCS#1 v1.5 signatures have no randomness in them");

        let (signed, signature) = token.reveal().rsplit_once('.').unwrap();
        let public = first.0.public().as_ref().to_vec();
        ring::signature::UnparsedPublicKey::new(&ring::signature::RSA_PKCS1_2048_8192_SHA256, public)
            .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
            .unwrap();
        assert_eq!(signed.split('.').next().unwrap(), "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9");
    }

    #[test]
    fn what_is_no_rsa_key_is_refused_without_showing_it() {
        for bad in ["", "ghp_secret", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"] {
            let why = AppKey::parse(&Secret::new(bad)).err().unwrap();
            assert!(!why.contains("secret") && !why.contains("c2VjcmV0"), "{why}");
        }
    }
}
