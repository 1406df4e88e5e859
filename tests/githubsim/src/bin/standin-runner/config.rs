//! Who this runner is: from the JIT configuration, from files, or by a registration token.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;

use crate::client;
use crate::client::Failure;
use crate::say;

/// The variable that carries the JIT configuration, as the real listener knows it.
pub(crate) const JIT_VARIABLE: &str = "ACTIONS_RUNNER_INPUT_JITCONFIG";
const FILES: [&str; 3] = [".runner", ".credentials", ".credentials_rsaparams"];
/// How long the session's secret is, at the start of the key's `d`.
const SECRET_LENGTH: usize = 48;

/// The environment, with what a `.env` file beside the program adds, as the real runner reads it.
#[derive(Debug)]
pub(crate) struct Environment(HashMap<String, String>);

impl Environment {
    pub(crate) fn read() -> Self {
        let mut all = HashMap::new();
        if let Ok(text) = std::fs::read_to_string(home().join(".env")) {
            let pairs = text.lines().filter_map(|l| l.split_once('='));
            all.extend(pairs.map(|(k, v)| (k.trim().to_string(), v.trim().to_string())));
        }
        all.extend(std::env::vars());
        Self(all)
    }

    /// A variable that is set to something.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|v| !v.is_empty()).cloned()
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|v| !["0", "false"].contains(&v.to_lowercase().as_str()))
    }
}

/// Where the program lies.
pub(crate) fn home() -> PathBuf {
    let here = std::env::current_exe().ok().and_then(|p| p.parent().map(Path::to_path_buf));
    here.unwrap_or_else(|| PathBuf::from("."))
}

/// What the configuration comes to.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Base of the runner protocol, with a trailing slash.
    pub(crate) server: String,
    pub(crate) name: String,
    pub(crate) secret: String,
    pub(crate) ephemeral: bool,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("Not configured. Run config.(sh/cmd) to configure the runner.")]
    Missing,
    #[error("The JIT configuration cannot be read.")]
    Unreadable,
    #[error("Http response code: {0} from 'POST /actions/runner-registration'")]
    Refused(Failure),
}

/// Finds the configuration: `--jitconfig`, the variable, files, or a registration token.
pub(crate) fn find(environment: &Environment) -> Result<Identity, ConfigError> {
    let arguments: Vec<String> = std::env::args().collect();
    let after = arguments.iter().position(|a| a == "--jitconfig").map(|at| at + 1);
    let given = after.and_then(|at| arguments.get(at)).cloned();
    if let Some(encoded) = given.or_else(|| environment.get(JIT_VARIABLE)) {
        return decode(&encoded);
    }
    for directory in [PathBuf::from("."), home()] {
        if FILES.iter().all(|f| directory.join(f).is_file()) {
            return from_files(|name| std::fs::read_to_string(directory.join(name)).ok());
        }
    }
    match environment.get("RUNNER_TOKEN") {
        Some(token) => register(environment, &token),
        None => Err(ConfigError::Missing),
    }
}

fn decode(encoded: &str) -> Result<Identity, ConfigError> {
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| ConfigError::Unreadable)?;
    let files: BTreeMap<String, String> =
        serde_json::from_slice(&bytes).map_err(|_| ConfigError::Unreadable)?;
    from_files(|name| String::from_utf8(STANDARD.decode(files.get(name)?).ok()?).ok())
}

fn from_files(read: impl Fn(&str) -> Option<String>) -> Result<Identity, ConfigError> {
    let json = |name: &str| -> Option<Value> {
        serde_json::from_str(read(name)?.trim_start_matches('\u{feff}')).ok()
    };
    let parsed = || {
        let runner = json(".runner")?;
        json(".credentials")?;
        let key = json(".credentials_rsaparams")?;
        let d = STANDARD.decode(key.get("d")?.as_str()?).ok()?;
        let text = |name: &str| {
            let value = runner.get(name)?;
            Some(value.as_str().map_or_else(|| value.to_string(), ToString::to_string))
        };
        Some(Identity {
            server: text("ServerUrlV2").or_else(|| text("ServerUrl"))?,
            name: text("AgentName")?,
            secret: String::from_utf8(d.get(..SECRET_LENGTH)?.to_vec()).ok()?,
            ephemeral: text("Ephemeral").is_some_and(|e| e.eq_ignore_ascii_case("true")),
        })
    };
    parsed().ok_or(ConfigError::Unreadable)
}

/// Registers as the common community image does, with its variables.
fn register(environment: &Environment, token: &str) -> Result<Identity, ConfigError> {
    let get = |name: &str| environment.get(name);
    let host = get("GITHUB_HOST").unwrap_or_else(|| "github.com".into());
    let url = match get("RUNNER_SCOPE").unwrap_or_else(|| "repo".into()).as_str() {
        "org" | "organization" => format!("http://{host}/{}", get("ORG_NAME").unwrap_or_default()),
        "ent" | "enterprise" => {
            format!("http://{host}/enterprises/{}", get("ENTERPRISE_NAME").unwrap_or_default())
        }
        _ => get("REPO_URL").ok_or(ConfigError::Missing)?,
    };
    let server = get("STANDIN_SERVER").unwrap_or_else(|| origin(&url));
    let listed = get("LABELS").unwrap_or_else(|| "default".into());
    let mut labels: Vec<String> = listed.split(',').map(|l| l.trim().to_string()).collect();
    if !environment.is_set("NO_DEFAULT_LABELS") {
        labels.extend(["self-hosted", "Linux", "X64"].map(String::from));
    }
    let body = json!({
        "token": token,
        "url": url,
        "name": get("RUNNER_NAME").unwrap_or_else(|| format!("github-runner-{}", std::process::id())),
        "labels": labels,
        "group": get("RUNNER_GROUP"),
        "work_folder": get("RUNNER_WORKDIR"),
        "ephemeral": environment.is_set("EPHEMERAL"),
        "disable_update": environment.is_set("DISABLE_AUTO_UPDATE"),
        "replace": true,
    });
    say("# Authentication");
    let answer = client::post(&format!("{server}/_sim/runner/register"), &body);
    let answer = answer.map_err(ConfigError::Refused)?;
    say("√ Connected to GitHub");
    say("# Runner Registration");
    say("√ Runner successfully added");
    decode(answer.get("encoded_jit_config").and_then(Value::as_str).unwrap_or_default())
}

/// Scheme and host of a URL.
fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    format!("{scheme}://{}", rest.split('/').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_of_a_url_has_no_path() {
        assert_eq!(origin("http://10.0.0.1:80/acme/app"), "http://10.0.0.1:80");
    }

    #[test]
    fn nonsense_is_no_configuration() {
        assert!(matches!(decode("!"), Err(ConfigError::Unreadable)));
        assert!(matches!(decode(&STANDARD.encode("{}")), Err(ConfigError::Unreadable)));
    }
}
