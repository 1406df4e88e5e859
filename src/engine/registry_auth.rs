//! Credentials for registries, out of a docker `config.json`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::BollardRequest;
use bollard::auth::DockerCredentials;
use http::HeaderValue;
use serde::Deserialize;

/// How Docker Hub is called in references, and in `config.json`.
const HUB: &str = "docker.io";
const HUB_IN_CONFIG: &str = "https://index.docker.io/v1/";

#[derive(Deserialize)]
struct ConfigFile {
    #[serde(default)]
    auths: std::collections::BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// The credentials that `config` has for the registry of `reference`; none means to ask without.
///
/// # Errors
/// The text is no `config.json`, or its entry for this registry cannot be read. The message holds nothing of it.
pub(super) fn choose(config: &str, reference: &str) -> Result<Option<DockerCredentials>, String> {
    let file: ConfigFile = serde_json::from_str(config)
        .map_err(|err| format!("the registry credentials are no docker config.json (line {})", err.line()))?;
    let registry = registry_of(reference);
    let found = file.auths.into_iter().find(|(key, _)| host_of(key) == host_of(registry));
    let Some((key, entry)) = found else { return Ok(None) };
    let (username, password) = match (entry.username, entry.password, entry.auth) {
        (Some(name), Some(password), _) => (Some(name), Some(password)),
        (_, _, Some(auth)) if !auth.is_empty() => {
            let (name, password) = split(&auth).ok_or_else(|| {
                format!("the registry credentials for {key} are not base64 of user:password")
            })?;
            (Some(name), Some(password))
        }
        _ => (None, None),
    };
    Ok(Some(DockerCredentials {
        username,
        password,
        identitytoken: entry.identitytoken,
        registrytoken: entry.registrytoken,
        serveraddress: Some(if registry == HUB { HUB_IN_CONFIG.to_owned() } else { registry.to_owned() }),
        ..Default::default()
    }))
}

/// The registry that a reference names: what stands before the first slash, if it looks like a host.
pub(super) fn registry_of(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => HUB,
    }
}

/// Host and port of a key, which may be a URL with a path; all of Docker Hub's names are one.
fn host_of(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or(rest);
    match host {
        "index.docker.io" | "registry-1.docker.io" | "docker.io" => HUB,
        other => other,
    }
}

fn split(auth: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(auth.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// Writes the registry header in the alphabet that engines read.
///
/// The client library encodes it with the standard one, and engines decode it with the URL-safe one and take what does
/// not decode for no credentials: a password with `>`, `?` or `~` in the wrong place would be lost without a word.
pub(super) fn url_safe(mut request: BollardRequest) -> BollardRequest {
    if let Some(value) = request.headers().get("X-Registry-Auth").and_then(|value| value.to_str().ok()) {
        let safe = value.replace('+', "-").replace('/', "_");
        if let Ok(mut value) = HeaderValue::from_str(&safe) {
            value.set_sensitive(true);
            request.headers_mut().insert("X-Registry-Auth", value);
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{
        "auths": {
            "https://index.docker.io/v1/": { "auth": "aHViOmh1YnB3" },
            "ghcr.io": { "username": "octo", "password": "cat:with:colons" },
            "https://registry.example:5000/v2/": { "auth": "bWU6cHc6eA==" },
            "empty.example": {},
            "broken.example": { "auth": "!!!" },
            "token.example": { "identitytoken": "idt" }
        },
        "credsStore": "desktop"
    }"#;

    fn user_and_password(reference: &str) -> Option<(String, String)> {
        let found = choose(CONFIG, reference).unwrap()?;
        Some((found.username.unwrap_or_default(), found.password.unwrap_or_default()))
    }

    #[test]
    fn the_registry_is_chosen_by_host() {
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        for hub in ["alpine", "alpine:3", "library/alpine", "docker.io/library/alpine@sha256:0"] {
            assert_eq!(user_and_password(hub), pair("hub", "hubpw"), "{hub}");
        }
        assert_eq!(
            user_and_password("ghcr.io/actions/actions-runner:latest"),
            pair("octo", "cat:with:colons")
        );
        assert_eq!(user_and_password("registry.example:5000/x/y:1"), pair("me", "pw:x"));
        assert_eq!(user_and_password("registry.example/x"), None);
        assert_eq!(user_and_password("quay.io/x/y"), None);
        assert_eq!(user_and_password("localhost:5000/x"), None);
    }

    #[test]
    fn tokens_and_empty_entries_pass() {
        let token = choose(CONFIG, "token.example/x").unwrap().unwrap();
        assert_eq!(token.identitytoken.as_deref(), Some("idt"));
        assert_eq!(user_and_password("empty.example/x"), Some((String::new(), String::new())));
    }

    #[test]
    fn errors_hold_nothing_of_the_file() {
        let err = choose(CONFIG, "broken.example/x").unwrap_err();
        assert!(err.contains("broken.example") && !err.contains("!!!"), "{err}");
        let err = choose("{ secret", "x").unwrap_err();
        assert!(!err.contains("secret"), "{err}");
    }

    #[test]
    fn the_hub_is_addressed_by_its_old_url() {
        let hub = choose(CONFIG, "alpine").unwrap().unwrap();
        assert_eq!(hub.serveraddress.as_deref(), Some(HUB_IN_CONFIG));
    }
}
