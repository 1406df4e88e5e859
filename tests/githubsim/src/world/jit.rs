//! The configuration files a runner gets, in the form the real listener reads.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;

use super::Refusal;
use super::Runner;
use super::Scope;
use super::World;

/// Where a runner finds the service, and where its account lives on the web.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    /// The simulator as runners reach it, without a trailing slash.
    pub(crate) service: String,
    /// The web address of the host.
    pub(crate) web: String,
}

impl World {
    /// base64 of a JSON object: file name to base64 of its content.
    pub(crate) fn jit_config(&mut self, runner: u64, at: &Addresses) -> Result<String, Refusal> {
        let runner = self.runners.get(&runner).ok_or(Refusal::NotFound)?.clone();
        let path = self.scope_path(runner.scope);
        let client_id = uuid(&self.random_text(32));
        let files = json!({
            ".runner": file(&runner_file(&runner, &self.group_name(runner.scope, runner.group), &path, at)),
            ".credentials": file(&json!({
                "Scheme": "OAuth",
                "Data": {
                    "ClientId": client_id,
                    "AuthorizationUrl": format!("{}/_sim/runner/oauth2/token", at.service),
                    "RequireFipsCryptography": "True"
                }
            })),
            ".credentials_rsaparams": file(&self.key_file(&runner.secret)),
        });
        Ok(STANDARD.encode(files.to_string()))
    }

    fn scope_path(&self, scope: Scope) -> String {
        match scope {
            Scope::Organization(id) => self.account_by_id(id).map_or_else(String::new, |a| a.login.clone()),
            Scope::Enterprise(id) => {
                self.account_by_id(id).map_or_else(String::new, |a| format!("enterprises/{}", a.login))
            }
            Scope::Repository(id) => {
                self.repository_by_id(id).map_or_else(String::new, super::Repository::full_name)
            }
        }
    }

    /// The parameters of an RSA key of 2048 bits in form; `d` carries the session's secret.
    fn key_file(&mut self, secret: &str) -> Value {
        let mut d = secret.as_bytes().to_vec();
        d.extend(self.random_bytes(256 - secret.len().min(256)));
        let mut number = |length| STANDARD.encode(self.random_bytes(length));
        json!({
            "d": STANDARD.encode(d),
            "dp": number(128),
            "dq": number(128),
            "exponent": "AQAB",
            "inverseQ": number(128),
            "modulus": number(256),
            "p": number(128),
            "q": number(128)
        })
    }
}

fn runner_file(runner: &Runner, group: &str, path: &str, at: &Addresses) -> Value {
    let flag = |set: bool| if set { "True" } else { "False" };
    json!({
        "AgentId": runner.id.to_string(),
        "AgentName": runner.name,
        "DisableUpdate": flag(runner.disable_update),
        "Ephemeral": flag(runner.ephemeral),
        "PoolId": runner.group.to_string(),
        "PoolName": group,
        "ServerUrl": format!("{}/_sim/runner/", at.service),
        "GitHubUrl": format!("{}/{path}", at.web),
        "WorkFolder": runner.work_folder,
        "UseV2Flow": "True",
        "ServerUrlV2": format!("{}/_sim/runner/", at.service)
    })
}

fn file(content: &Value) -> String {
    STANDARD.encode(content.to_string())
}

/// A UUID in form, from 32 characters.
pub(super) fn uuid(text: &str) -> String {
    let hex: String = text.bytes().map(|b| char::from_digit(u32::from(b) % 16, 16).unwrap_or('0')).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]].join("-")
}
