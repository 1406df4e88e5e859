//! A reply, and the headers that GitHub puts on every one.

use serde_json::Value;
use serde_json::json;

use super::context::Call;
use super::context::Who;
use crate::clock::Moment;
use crate::faults::Kind;
use crate::world::Credential;
use crate::world::Refusal;
use crate::world::World;

/// Status, headers and body of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::new(200, body)
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// An error in GitHub's shape.
    pub(crate) fn error(status: u16, message: &str) -> Self {
        let docs = "https://docs.github.com/rest";
        // The description of 422 knows no `status`.
        match status {
            422 => Self::new(422, json!({ "message": message, "documentation_url": docs })),
            _ => Self::new(
                status,
                json!({ "message": message, "documentation_url": docs, "status": status.to_string() }),
            ),
        }
    }

    /// Adds the entity tag to what was read, and turns it into 304 if the caller has it.
    pub(super) fn tagged(self, call: &Call) -> Self {
        if call.method != "GET" || self.status != 200 || call.segments() == ["rate_limit"] {
            return self;
        }
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        let tag = entity_tag(call.header("authorization").unwrap_or_default(), &body);
        let known = call.header("if-none-match").is_some_and(|seen| {
            let bare = |t: &str| t.trim().trim_start_matches("W/").to_string();
            seen.trim() == "*" || seen.split(',').any(|t| bare(t) == bare(&tag))
        });
        let reply = if known { Self { status: 304, headers: self.headers, body: None } } else { self };
        reply.with("etag", tag).with("cache-control", "private, max-age=60, s-maxage=60").with(
            "vary",
            "Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With",
        )
    }

    /// Adds the rate limit's headers and the scopes of a classic token.
    pub(super) fn limited(self, world: &mut World, who: &Who, now: Moment) -> Self {
        let limit = world.settings.rate_limit;
        let (limit, bucket) = match who {
            Who::Known(credential) => (limit, world.bucket(&credential.budget().0, now)),
            Who::Nobody => (60, world.bucket("nobody", now)),
        };
        let reply = self
            .with("x-ratelimit-limit", limit.to_string())
            .with("x-ratelimit-remaining", limit.saturating_sub(bucket.used).to_string())
            .with("x-ratelimit-used", bucket.used.to_string())
            .with("x-ratelimit-reset", bucket.reset.to_string())
            .with("x-ratelimit-resource", "core");
        match who {
            Who::Known(Credential::Classic { scopes, .. }) => reply.with("x-oauth-scopes", scopes.join(", ")),
            _ => reply,
        }
    }

    /// Adds what tells one answer from another.
    pub(super) fn stamped(self, world: &mut World, call: &Call, now: Moment) -> Self {
        let version = call.header("x-github-api-version").unwrap_or(super::VERSIONS[0]).to_string();
        let id = world.random_bytes(14).iter().map(|b| format!("{b:02X}")).collect::<String>();
        let id = format!("{}:{}:{}", &id[..4], &id[4..10], &id[10..]);
        let expiry = call.header("authorization").and_then(|h| world.expiry_of_personal(h));
        let reply = match expiry {
            Some(at) => {
                let text = crate::clock::rfc3339(at).replace('T', " ").replace('Z', " UTC");
                self.with("github-authentication-token-expiration", text)
            }
            None => self,
        };
        reply
            .with("date", httpdate::fmt_http_date(now.wall))
            .with("x-github-request-id", id)
            .with("x-github-api-version-selected", version)
            .with("x-github-media-type", "github.v3; format=json")
            .with("server", "github.com")
    }
}

fn entity_tag(credential: &str, body: &str) -> String {
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    digest.update(credential.as_bytes());
    digest.update(&[0]);
    digest.update(body.as_bytes());
    let hex: String = digest.finish().as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("W/\"{hex}\"")
}

/// A refusal as GitHub words it.
pub(crate) fn refused(call: &Call, no: &Refusal) -> Reply {
    match no {
        Refusal::BadRequest(message) => Reply::error(400, message),
        Refusal::Unauthorized(message) => Reply::error(401, message),
        Refusal::Forbidden(message) => Reply::error(403, message),
        Refusal::NotFound => Reply::error(404, "Not Found"),
        Refusal::Conflict(message) => Reply::error(409, message),
        Refusal::Invalid(message) => Reply::error(422, message),
        Refusal::RateLimited(whose) => Reply::error(
            403,
            &format!(
                "API rate limit exceeded for {whose}. If you reach out to GitHub Support for help, please include the request ID."
            ),
        ),
        Refusal::Moved(to) => moved(call, to),
    }
}

fn moved(call: &Call, to: &str) -> Reply {
    let rest: String = call.segments().iter().skip(3).map(|s| format!("/{s}")).collect();
    let query: Vec<String> = call.query.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let target = format!("{}/repos/{to}{rest}{query}", call.api);
    let status = if call.method == "GET" { 301 } else { 307 };
    let body = json!({
        "message": if status == 301 { "Moved Permanently" } else { "Temporary Redirect" },
        "url": target,
        "documentation_url": "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects"
    });
    Reply::new(status, body).with("location", target)
}

/// The answer that an injected fault makes up. `None`: it spoils the real one.
pub(crate) fn faulty(world: &mut World, call: &Call, kind: &Kind, now: Moment) -> Option<Reply> {
    let who = world.authenticate(call.header("authorization"), now).map_or(Who::Nobody, Who::Known);
    let reply = match kind {
        Kind::Status(status) => Reply::error(*status, message_of(*status)).limited(world, &who, now),
        Kind::Reset => Reply::error(500, message_of(500)),
        Kind::Empty(status) => Reply::empty(*status),
        Kind::Primary(status) => {
            let message = "API rate limit exceeded for user ID 1. If you reach out to GitHub Support for help, please include the request ID.";
            let mut reply = Reply::error(*status, message).limited(world, &who, now);
            for (name, value) in &mut reply.headers {
                match *name {
                    "x-ratelimit-remaining" => *value = "0".into(),
                    "x-ratelimit-used" => *value = world.settings.rate_limit.to_string(),
                    _ => {}
                }
            }
            reply
        }
        Kind::Secondary(secs) => {
            let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to GitHub Support for help, please include the request ID.";
            Reply::error(403, message).limited(world, &who, now).with("retry-after", secs.to_string())
        }
        _ => return None,
    };
    Some(reply.needing(&who, call).stamped(world, call, now))
}

fn message_of(status: u16) -> &'static str {
    match status {
        401 => "Bad credentials",
        403 => "Resource not accessible by personal access token",
        404 => "Not Found",
        409 => "Conflict",
        422 => "Validation Failed",
        429 => "Too many requests",
        502 => "Server Error",
        503 => "Service unavailable",
        _ => "Server Error",
    }
}
