//! What each answer says of the rights that its call needs, granted or not
//! (<https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api>).

use super::context::Call;
use super::context::Who;
use super::reply::Reply;
use crate::world::Credential;

impl Reply {
    /// Adds the header in which GitHub names them: one for classic tokens, another for everything newer.
    pub(super) fn needing(self, who: &Who, call: &Call) -> Self {
        let segments = call.segments();
        let level = if matches!(call.method.as_str(), "GET" | "HEAD") { "read" } else { "write" };
        let (scopes, permission) = match segments.as_slice() {
            ["orgs", _, "actions", "runners" | "runner-groups", ..] => {
                ("admin:org", format!("organization_self_hosted_runners={level}"))
            }
            ["enterprises", _, "actions", "runners" | "runner-groups", ..] => {
                ("admin:enterprise, manage_runners:enterprise", String::new())
            }
            ["repos", _, _, "actions", "runners", ..] => ("repo", format!("administration={level}")),
            ["repos", _, _, "actions", ..] => ("repo", format!("actions={level}")),
            _ => ("", String::new()),
        };
        match who {
            Who::Known(Credential::Classic { .. }) => self.with("x-accepted-oauth-scopes", scopes),
            Who::Known(Credential::FineGrained { .. } | Credential::Installation { .. })
                if !permission.is_empty() =>
            {
                self.with("x-accepted-github-permissions", permission)
            }
            _ => self,
        }
    }
}
