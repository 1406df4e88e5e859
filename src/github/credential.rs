//! One set of credentials: everything that is kept for it, and the way a call takes through it.
//!
//! A call waits for a free place, asks the ledger whether it may be sent, goes out, follows renames, and what comes back is
//! noted and judged. Nothing is retried here but what a new token mends: trying again is for whoever asked.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use http::HeaderValue;
use http::Method;
use http::Request;
use http::StatusCode;
use http::Uri;
use http::header;
use octocrab::OctoBody;
use tokio::sync::Semaphore;

use super::CredentialState;
use super::GitHubError;
use super::actions::Connection;
use super::address::Root;
use super::answer::Answer;
use super::answer::Verdict;
use super::auth::Bearer;
use super::call::Call;
use super::call::Fault;
use super::identity::Identity;
use super::jobs::Queues;
use super::ledger::Ledger;
use super::ledger::Refused;
use super::limits::Admission;
use super::pages::PageCache;
use super::shelf::Shelf;
use super::spec::Auth;
use super::spec::Clock;
use super::spec::CredentialSpec;
use super::spec::Tuning;
use super::transport::NoAnswer;
use super::transport::Transport;
use super::wire::Group;
use crate::model::CredentialName;
use crate::model::Scope;
use crate::model::Secret;
use crate::model::Time;

/// GitHub renames with one redirect; more than this is a circle.
const REDIRECTS_MAX: usize = 3;
/// Short waits for the pace within one call, so that a clock that stands still holds nobody for ever.
const WAITS_MAX: usize = 5;

/// One set of credentials.
pub(super) struct Credential {
    pub(super) spec: CredentialSpec,
    pub(super) tuning: Arc<Tuning>,
    clock: Clock,
    root: Result<Root, String>,
    transport: Mutex<Option<Arc<Transport>>>,
    pub(super) identity: Identity,
    ledger: Mutex<Ledger>,
    pub(super) places: Semaphore,
    pub(super) cache: Mutex<PageCache>,
    /// What is known of repositories' queues.
    pub(super) queues: Queues,
    /// The account that a token belongs to.
    pub(super) account: Shelf<(), String, GitHubError>,
    /// Installations by owner.
    pub(super) installations: Shelf<String, u64, Fault>,
    /// Installation tokens by installation.
    pub(super) tokens: Shelf<u64, Bearer, Fault>,
    /// Registration tokens, with their end.
    pub(super) registration_tokens: Shelf<Scope, (Secret, Time), Fault>,
    /// Ways into the Actions service.
    pub(super) connections: Shelf<Scope, Connection, Fault>,
    /// Runner groups by organization, with when they were read.
    pub(super) groups: Shelf<String, (Arc<Vec<Group>>, Time), GitHubError>,
}

impl Credential {
    pub(super) fn new(spec: CredentialSpec, clock: Clock, tuning: Arc<Tuning>) -> Self {
        Self {
            root: Root::new(&spec.url, spec.api_url.as_deref()),
            identity: Identity::new(spec.auth.clone()),
            ledger: Mutex::new(Ledger::new(tuning.points_per_minute)),
            places: Semaphore::new(tuning.concurrency.max(1)),
            transport: Mutex::new(None),
            cache: Mutex::new(PageCache::default()),
            queues: Queues::default(),
            account: Shelf::new(),
            installations: Shelf::new(),
            tokens: Shelf::new(),
            registration_tokens: Shelf::new(),
            connections: Shelf::new(),
            groups: Shelf::new(),
            spec,
            tuning,
            clock,
        }
    }

    /// Takes the secret from elsewhere, and reads certificates anew; all else stays.
    pub(super) fn adopt(&self, auth: Auth) {
        self.identity.adopt(auth);
        *lock(&self.transport) = None;
    }

    pub(super) fn name(&self) -> CredentialName {
        self.spec.name.clone()
    }

    pub(super) fn now(&self) -> Time {
        (self.clock)()
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// What GitHub's clock shows.
    pub(super) fn github_now(&self) -> Time {
        self.ledger().github_time(self.now())
    }

    pub(super) fn state(&self) -> CredentialState {
        self.ledger().state(self.spec.name.to_string(), self.spec.url.clone(), self.now())
    }

    pub(super) fn unusable(&self, why: impl Into<String>) -> GitHubError {
        GitHubError::Unusable { credential: self.name(), why: why.into() }
    }

    pub(super) fn root(&self) -> Result<&Root, GitHubError> {
        self.root.as_ref().map_err(|why| self.unusable(why))
    }

    pub(super) fn transport(&self) -> Result<Arc<Transport>, GitHubError> {
        let mut transport = lock(&self.transport);
        if let Some(transport) = transport.as_ref() {
            return Ok(transport.clone());
        }
        let made = Transport::new(&self.spec, &self.tuning).map(Arc::new);
        let made = made.map_err(|why| {
            self.ledger().unusable = Some(why.clone());
            self.unusable(why)
        })?;
        Ok(transport.insert(made).clone())
    }

    /// Sends a call with this token and follows renames.
    pub(super) async fn exchange(&self, call: &Call, bearer: &Bearer) -> Result<Answer, Fault> {
        let root = self.root()?;
        let transport = self.transport()?;
        let mut uri =
            if call.target.contains("://") { root.follow(&call.target) } else { root.join(&call.target) }
                .map_err(|why| call.malformed(why))?;
        // The semaphore is never closed, and without a place the ledger alone still keeps the pace.
        let _place = self.places.acquire().await.ok();
        for _ in 0..=REDIRECTS_MAX {
            self.admission(call, bearer).await?;
            let answer = self.once(&transport, call, &uri, bearer).await?;
            if !matches!(answer.status.as_u16(), 301 | 302 | 307 | 308) {
                return Ok(answer);
            }
            // Owner or repository was renamed: the same request once more, at its new address
            // (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects).
            let location =
                answer.header("location").ok_or_else(|| call.malformed("a redirect to nowhere"))?;
            uri = root.follow(location).map_err(|why| call.malformed(why))?;
        }
        Err(call.malformed("it redirects in a circle").into())
    }

    /// Waits until the call may be sent, if that is soon.
    async fn admission(&self, call: &Call, bearer: &Bearer) -> Result<(), GitHubError> {
        let mut held = None;
        for _ in 0..WAITS_MAX {
            let now = self.now();
            let admission = {
                let mut ledger = self.ledger();
                let budget = ledger.budget(call.kind, bearer.installation);
                ledger.limits.admit(now, call.points(), &budget)
            };
            match admission {
                Admission::Go => return Ok(()),
                Admission::Held(until, message) => {
                    return Err(GitHubError::Limited { credential: self.name(), until, message });
                }
                Admission::Wait(wait) => {
                    held = Some(now + wait);
                    tokio::time::sleep(wait).await;
                }
            }
        }
        let (until, message) = (held.unwrap_or_else(|| self.now()), "others were faster".to_owned());
        Err(GitHubError::Limited { credential: self.name(), until, message })
    }

    /// One request and its answer.
    async fn once(
        &self,
        transport: &Transport,
        call: &Call,
        uri: &Uri,
        bearer: &Bearer,
    ) -> Result<Answer, Fault> {
        let request = self.request(call, uri, bearer)?;
        let sent = self.now();
        self.ledger().sending();
        let result = transport.send(request, &self.tuning).await;
        let received = self.now();
        self.took(call.kind, result.as_ref().ok(), received.since(sent));
        let (credential, method, path) = (&self.spec.name, &call.method, uri.path());
        match result {
            Ok(answer) => {
                let (status, id) = (answer.status.as_u16(), answer.header("x-github-request-id"));
                let ms = received.since(sent).as_millis();
                tracing::debug!(%credential, %method, path, status, request_id = id, ms, "GitHub answered");
                let mut ledger = self.ledger();
                ledger.note(&answer, call.kind, bearer.installation, (sent, received));
                if answer.status.is_success() || answer.status == StatusCode::NOT_MODIFIED {
                    ledger.limits.served(sent);
                    ledger.refused = None;
                }
                Ok(answer)
            }
            Err(NoAnswer { why, sent, too_large }) => {
                tracing::debug!(%credential, %method, path, why, "GitHub did not answer");
                let error = if too_large {
                    call.malformed(format!("it is larger than {} bytes", self.tuning.body_limit))
                } else {
                    GitHubError::Unreachable { url: self.root()?.as_str().to_owned(), why }
                };
                Err(Fault { error, lost: sent })
            }
        }
    }

    /// Writes down what came of a call.
    pub(super) fn took(&self, call: &'static str, answer: Option<&Answer>, took: Duration) {
        let result = answer.map_or("unreachable", |answer| outcome(answer.status));
        self.tuning.meter.note(|readings| readings.github.took(call, result, took));
    }

    fn request(&self, call: &Call, uri: &Uri, bearer: &Bearer) -> Result<Request<OctoBody>, GitHubError> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", bearer.token.reveal()))
            .map_err(|_| self.unusable("the token cannot be sent"))?;
        authorization.set_sensitive(true);
        let mut builder = Request::builder()
            .method(&call.method)
            .uri(uri)
            .header(header::AUTHORIZATION, authorization)
            .header(header::ACCEPT, "application/vnd.github+json")
            .header(header::USER_AGENT, concat!("ghrunner/", env!("CARGO_PKG_VERSION")))
            .header("x-github-api-version", "2022-11-28");
        if let Some((_, etag)) = call.etag.as_ref().filter(|(generation, _)| *generation == bearer.generation)
        {
            builder = builder.header(header::IF_NONE_MATCH, etag);
        }
        let body = match &call.body {
            Some(json) => {
                builder = builder.header(header::CONTENT_TYPE, "application/json");
                OctoBody::from(json.clone())
            }
            None => {
                if call.method == Method::POST {
                    builder = builder.header(header::CONTENT_LENGTH, 0);
                }
                OctoBody::empty()
            }
        };
        builder.body(body).map_err(|why| call.malformed(format!("the request cannot be made: {why}")))
    }

    /// What an answer means: itself if it is good, else the error that it is.
    pub(super) fn judge(&self, call: &Call, answer: Answer, bearer: &Bearer) -> Result<Answer, Fault> {
        let now = self.now();
        let credential = self.name();
        let status = answer.status.as_u16();
        let message = || answer.message().replace(bearer.token.reveal(), "***");
        let label = || call.label.clone();
        let error = match answer.verdict(now) {
            Verdict::Good | Verdict::NotModified => return Ok(answer),
            Verdict::Limited(limit) => {
                let mut ledger = self.ledger();
                let budget = ledger.budget(call.kind, bearer.installation);
                let until = ledger.limits.latch(now, &limit, &budget);
                GitHubError::Limited { credential, until, message: message() }
            }
            Verdict::Unauthorized => {
                self.ledger().refused = Some(Refused { since: now, message: message() });
                GitHubError::Rejected { credential, call: label(), message: message() }
            }
            Verdict::Forbidden => GitHubError::Forbidden { credential, call: label(), message: message() },
            Verdict::NotFound => {
                GitHubError::NotFound { credential, what: call.what.clone(), needs: answer.needs() }
            }
            Verdict::Refused => GitHubError::Refused { call: label(), status, message: message() },
            Verdict::Failed => return Err(Fault::lost(GitHubError::Failed { call: label(), status })),
            Verdict::Odd => call.malformed(format!("its status is {status}")),
        };
        Err(error.into())
    }
}

/// The kind of an answer, in a word that stays.
fn outcome(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..300 => "ok",
        304 => "not_modified",
        300..400 => "redirect",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        429 => "limited",
        400..500 => "refused",
        _ => "failed",
    }
}

/// A lock whose holder panicked is as good as any: nothing here is left half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
