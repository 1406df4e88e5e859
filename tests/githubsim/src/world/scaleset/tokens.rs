//! The tokens of the Actions service, JWTs in form: clients read when they expire.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::Trouble;
use crate::clock::Moment;
use crate::world::Refusal;
use crate::world::Scope;
use crate::world::World;

/// What a token of the service opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Opens {
    /// Everything of one place but messages.
    Admin(Scope),
    /// One session's messages.
    Queue { scope: Scope, set: u64, session: String },
}

#[derive(Debug, Clone)]
pub(crate) struct ServiceToken {
    opens: Opens,
    /// Seconds since 1970.
    expires: u64,
    /// Who asked for the registration token that led here.
    maker: String,
}

impl World {
    fn new_service_token(&mut self, opens: Opens, maker: &str, lifetime: Duration, now: Moment) -> String {
        let expires = now.unix() + lifetime.as_secs();
        let part = |v: serde_json::Value| URL_SAFE_NO_PAD.encode(v.to_string());
        let head = part(json!({ "typ": "JWT", "alg": "RS256" }));
        let id = self.random_text(16);
        let body = part(json!({ "jti": id, "iss": "githubsim", "nbf": now.unix(), "exp": expires }));
        let signature = URL_SAFE_NO_PAD.encode(self.random_bytes(256));
        let token = format!("{head}.{body}.{signature}");
        let maker = maker.to_string();
        self.service_tokens.insert(token.clone(), ServiceToken { opens, expires, maker });
        token
    }

    /// Lets somebody with a registration token in: gives the place and the admin token.
    ///
    /// # Errors
    /// 401 of a token that is unknown or expired, 403 of one for another place.
    pub(crate) fn open_service(
        &mut self,
        token: &str,
        url: &str,
        now: Moment,
    ) -> Result<(Scope, String), Refusal> {
        let known = self.registration_tokens.get(token).cloned().ok_or(Refusal::BAD_CREDENTIALS)?;
        if known.removes || known.expires.wall <= now.wall {
            return Err(Refusal::BAD_CREDENTIALS);
        }
        if self.scope_of_url(url)? != known.scope {
            return Err(Refusal::Forbidden("The registration token is not for this URL.".into()));
        }
        let lifetime = self.settings.admin_token_lifetime;
        let admin = self.new_service_token(Opens::Admin(known.scope), &known.maker, lifetime, now);
        Ok((known.scope, admin))
    }

    /// A token for the messages of a session.
    pub(super) fn queue_token(
        &mut self,
        (scope, set, session): (Scope, u64, &str),
        maker: &str,
        now: Moment,
    ) -> String {
        let lifetime = self.settings.queue_token_lifetime;
        let opens = Opens::Queue { scope, set, session: session.to_string() };
        self.new_service_token(opens, maker, lifetime, now)
    }

    /// Who is behind an `Authorization` header of the service: whoever asked for the registration token that it began with.
    pub(crate) fn behind(&self, header: Option<&str>) -> Option<&str> {
        let (scheme, token) = header?.split_once(' ')?;
        match scheme {
            "RemoteAuth" => self.registration_tokens.get(token).map(|known| known.maker.as_str()),
            _ => self.service_tokens.get(token).map(|known| known.maker.as_str()),
        }
    }

    fn opens(&self, header: Option<&str>, now: Moment) -> Result<&Opens, Trouble> {
        let refused = || Trouble::text(401, "Unauthorized");
        let token = header.and_then(|h| h.strip_prefix("Bearer ")).ok_or_else(refused)?;
        let known = self.service_tokens.get(token).ok_or_else(refused)?;
        if known.expires <= now.unix() { Err(refused()) } else { Ok(&known.opens) }
    }

    /// The place that an admin token opens.
    pub(crate) fn admin(&self, header: Option<&str>, now: Moment) -> Result<Scope, Trouble> {
        match self.opens(header, now)? {
            Opens::Admin(scope) => Ok(*scope),
            Opens::Queue { .. } => Err(Trouble::text(401, "Unauthorized")),
        }
    }

    /// The place, scale set and session that a queue token opens.
    pub(crate) fn queue_holder(
        &self,
        header: Option<&str>,
        now: Moment,
    ) -> Result<(Scope, u64, String), Trouble> {
        match self.opens(header, now)? {
            Opens::Queue { scope, set, session } => Ok((*scope, *set, session.clone())),
            Opens::Admin(_) => Err(Trouble::text(401, "Unauthorized")),
        }
    }

    /// Makes all tokens of the service expire at once, of both planes.
    pub fn expire_service_tokens(&mut self) {
        self.service_tokens.clear();
    }
}
