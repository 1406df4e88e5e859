//! GitHub Apps: their signed assertions, installations and installation tokens.

use std::time::Duration;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::KeyPair;
use ring::signature::RSA_PKCS1_2048_8192_SHA256;
use ring::signature::RsaKeyPair;
use ring::signature::UnparsedPublicKey;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;

use super::Credential;
use super::Refusal;
use super::World;
use super::access::Grant;
use super::model::Permissions;
use crate::clock::Moment;
use crate::state::AppState;
use crate::state::InstallationState;
use crate::state::StateError;

/// How far ahead an assertion's end may lie.
const LONGEST_SECS: i64 = 600;

#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) id: u64,
    pub(crate) client_id: String,
    pub(crate) slug: String,
    pub(crate) owner: String,
    /// The public key, as PKCS#1.
    key: Vec<u8>,
    pub(crate) events: Vec<String>,
    pub(crate) installations: Vec<InstallationState>,
}

/// A new installation token.
#[derive(Debug, Clone)]
pub(crate) struct InstallationToken {
    pub(crate) token: String,
    pub(crate) expires: SystemTime,
    pub(crate) permissions: Permissions,
    pub(crate) repositories: Option<Vec<String>>,
}

/// What an App may ask a token to be narrowed to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Narrowing {
    pub(crate) repositories: Option<Vec<String>>,
    pub(crate) repository_ids: Option<Vec<u64>>,
    pub(crate) permissions: Option<Permissions>,
}

impl App {
    pub(crate) fn from_state(state: &AppState) -> Result<Self, StateError> {
        let pem = match (&state.key_pem, &state.key_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => std::fs::read_to_string(path)
                .map_err(|source| StateError::Read { path: path.clone(), source })?,
            (None, None) => return Err(StateError::Key(state.id)),
        };
        let key = public_key(pem.as_bytes()).ok_or(StateError::Key(state.id))?;
        Ok(Self {
            id: state.id,
            client_id: state.client_id.clone(),
            slug: if state.slug.is_empty() { format!("app-{}", state.id) } else { state.slug.clone() },
            owner: state.owner.clone(),
            key,
            events: state.webhook.as_ref().map(|w| w.events.clone()).unwrap_or_default(),
            installations: state.installations.clone(),
        })
    }
}

/// The PKCS#1 public key in a PEM text that holds a public or a private RSA key.
fn public_key(pem: &[u8]) -> Option<Vec<u8>> {
    if let Ok(private) = PrivateKeyDer::from_pem_slice(pem) {
        let pair = match &private {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return None,
        };
        return Some(pair.ok()?.public_key().as_ref().to_vec());
    }
    // A SubjectPublicKeyInfo of RSA is a head of fixed form before the PKCS#1 key: for keys of
    // 2048 bits and more it has 24 bytes.
    const RSA_OID: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let spki = SubjectPublicKeyInfoDer::from_pem_slice(pem).ok()?;
    (spki.get(6..19)? == RSA_OID).then(|| spki.get(24..).map(<[u8]>::to_vec))?
}

#[derive(Deserialize)]
struct Claims {
    iat: serde_json::Number,
    exp: serde_json::Number,
    iss: serde_json::Value,
}

fn decoded<T: for<'a> Deserialize<'a>>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64()
}

impl World {
    /// Which App signed this assertion, if it is good now.
    pub(crate) fn authenticate_app(&self, jwt: &str, now: Moment) -> Result<u64, Refusal> {
        let undecodable = Refusal::Unauthorized("A JSON web token could not be decoded");
        let parts: Vec<&str> = jwt.split('.').collect();
        let [head, body, signature] = parts.as_slice() else {
            return Err(undecodable);
        };
        let header: serde_json::Value = decoded(head).ok_or_else(|| undecodable.clone())?;
        let claims: Claims = decoded(body).ok_or_else(|| undecodable.clone())?;
        if header.get("alg").and_then(|a| a.as_str()) != Some("RS256") {
            return Err(undecodable);
        }
        let issuer = claims.iss.as_str().map_or_else(|| claims.iss.to_string(), ToString::to_string);
        let app = self
            .apps
            .iter()
            .find(|a| a.id.to_string() == issuer || (!a.client_id.is_empty() && a.client_id == issuer))
            .ok_or(Refusal::Unauthorized("Integration not found"))?;
        let signed = format!("{head}.{body}");
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| undecodable.clone())?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &app.key)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| undecodable.clone())?;
        check_times(&claims, i64::try_from(now.unix()).unwrap_or(i64::MAX))?;
        Ok(app.id)
    }

    pub(crate) fn app(&self, id: u64) -> Result<&App, Refusal> {
        self.apps.iter().find(|a| a.id == id).ok_or(Refusal::NotFound)
    }

    /// Makes an installation token.
    pub(crate) fn create_installation_token(
        &mut self,
        app: u64,
        installation: u64,
        narrow: Narrowing,
        now: Moment,
    ) -> Result<InstallationToken, Refusal> {
        let found = self.app(app)?.installations.iter().find(|i| i.id == installation);
        let found = found.ok_or(Refusal::NotFound)?.clone();
        if found.suspended {
            return Err(Refusal::Forbidden("This installation has been suspended".into()));
        }
        let repositories = self.narrowed(&found, &narrow)?;
        let permissions = narrow.permissions.unwrap_or_else(|| found.permissions.clone());
        for (name, level) in &permissions {
            let granted = found.permissions.get(name).map(String::as_str);
            if granted != Some("write") && granted != Some(level.as_str()) {
                return Err(Refusal::Invalid(
                    "The permissions requested are not granted to this installation.".into(),
                ));
            }
        }
        let token = format!("ghs_{}", self.random_text(36));
        let lifetime: Duration = self.settings.installation_token_lifetime;
        let expires = now.wall + lifetime;
        let credential = Credential::Installation {
            installation,
            account: found.account,
            permissions: permissions.clone(),
            repositories: repositories.clone(),
        };
        self.tokens.insert(token.clone(), Grant { credential, expires: Some(expires) });
        Ok(InstallationToken { token, expires, permissions, repositories })
    }

    fn narrowed(&self, to: &InstallationState, by: &Narrowing) -> Result<Option<Vec<String>>, Refusal> {
        let mut names = by.repositories.clone();
        if let Some(ids) = &by.repository_ids {
            let found = ids.iter().filter_map(|id| self.repository_by_id(*id)).map(|r| r.name.clone());
            names.get_or_insert_default().extend(found);
        }
        let Some(names) = names else {
            return Ok(to.repositories.clone());
        };
        let covered = |name: &String| {
            self.repository(&to.account, name).is_ok()
                && to.repositories.as_ref().is_none_or(|all| all.iter().any(|n| n.eq_ignore_ascii_case(name)))
        };
        if names.iter().all(covered) {
            return Ok(Some(names));
        }
        let missing = "There is at least one repository that does not exist or is not accessible to the parent installation.";
        Err(Refusal::Invalid(missing.into()))
    }
}

fn check_times(claims: &Claims, now: i64) -> Result<(), Refusal> {
    let (Some(iat), Some(exp)) = (whole(&claims.iat), whole(&claims.exp)) else {
        return Err(Refusal::Unauthorized(
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        ));
    };
    if exp <= now {
        return Err(Refusal::Unauthorized(
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        ));
    }
    if exp > now + LONGEST_SECS {
        return Err(Refusal::Unauthorized("'Expiration time' claim ('exp') is too far in the future"));
    }
    if iat > now {
        return Err(Refusal::Unauthorized(
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        ));
    }
    Ok(())
}
