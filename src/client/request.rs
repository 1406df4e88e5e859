//! What is asked of the daemon, as values.

use std::time::Duration;

use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ClientError;
use crate::http::dto;
use crate::model::percent;

/// How long the daemon may take, unless a call says otherwise. It answers from memory; only a plan or a new mode waits for
/// a pass.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A request of the API, with nothing of the way that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub(super) method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    pub(super) body: Option<String>,
    pub(super) last_event: Option<String>,
    pub(super) patience: Duration,
}

impl Request {
    /// Of a method and the segments of a path, each of which may be any text.
    pub(super) fn new(method: Method, segments: &[&str]) -> Self {
        let path = segments.iter().map(|segment| format!("/{}", percent::encode(segment))).collect();
        Self { method, path, query: Vec::new(), body: None, last_event: None, patience: PATIENCE }
    }

    /// Of path and query as they are sent.
    pub(super) fn at(method: Method, target: &str, body: Option<String>) -> Self {
        Self { path: target.to_owned(), body, ..Self::new(method, &[]) }
    }

    /// The same below `/api/v1`.
    pub(super) fn v1(method: Method, segments: &[&str]) -> Self {
        let request = Self::new(method, segments);
        Self { path: format!("/api/v1{}", request.path), ..request }
    }

    /// With a parameter in the query, if there is a value for it.
    pub(super) fn given(mut self, key: &'static str, value: Option<impl ToString>) -> Self {
        self.query.retain(|(known, _)| *known != key);
        self.query.extend(value.map(|value| (key, value.to_string())));
        self
    }

    /// With a body. None of the shapes there are can fail to be written.
    pub(super) fn body(self, body: &impl Serialize) -> Self {
        Self { body: Some(serde_json::to_string(body).unwrap_or_default()), ..self }
    }

    /// Behind an event that was heard.
    pub(super) fn behind(self, last: Option<&str>) -> Self {
        Self { last_event: last.map(str::to_owned), ..self }
    }

    /// Within another time than the usual one.
    pub(super) fn within(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same at another place of the same daemon: path and query as an answer of its own gives them.
    pub(super) fn moved(&self, target: &str) -> Self {
        Self { path: target.to_owned(), query: Vec::new(), ..self.clone() }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Path and query, as they are sent.
    pub fn target(&self) -> String {
        let pairs: Vec<String> =
            self.query.iter().map(|(key, value)| format!("{key}={}", percent::encode(value))).collect();
        match pairs.is_empty() {
            true => self.path.clone(),
            false => format!("{}?{}", self.path, pairs.join("&")),
        }
    }

    /// The body, which is JSON.
    pub fn json(&self) -> Option<&str> {
        self.body.as_deref()
    }

    /// How long is waited: for the whole answer, or for its beginning where it may go on.
    pub fn patience(&self) -> Duration {
        self.patience
    }
}

/// A call with one answer.
#[derive(Debug, Clone)]
pub struct Call<T> {
    pub(super) request: Request,
    pub(super) read: fn(&[u8]) -> Result<T, ClientError>,
}

impl<T: DeserializeOwned> Call<T> {
    /// Whose answer is JSON.
    pub(super) fn json(request: Request) -> Self {
        Self { request, read: from_json }
    }
}

impl Call<String> {
    /// Whose answer is a text.
    pub(super) fn text(request: Request) -> Self {
        Self { request, read: |bytes| Ok(String::from_utf8_lossy(bytes).into_owned()) }
    }
}

impl<T> Call<T> {
    /// What is sent.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Waits so long for the whole answer.
    #[must_use]
    pub fn within(self, patience: Duration) -> Self {
        Self { request: self.request.within(patience), ..self }
    }
}

pub(super) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|why| ClientError::Malformed(why.to_string()))
}

/// A call whose answer is a list that comes in pages of `P`.
#[derive(Debug, Clone)]
pub struct List<P> {
    pub(super) first: Call<P>,
}

impl<P: Sheet> List<P> {
    pub(super) fn new(request: Request) -> Self {
        Self { first: Call::json(request) }
    }

    /// What is sent first.
    pub fn request(&self) -> &Request {
        &self.first.request
    }

    /// Only the page that is asked for, which need not be all.
    pub fn page(self) -> Call<P> {
        self.first
    }
}

/// A page of a list. There are two kinds, and no reason for a third.
pub trait Sheet: DeserializeOwned {
    /// What the list holds.
    type Item;

    /// The items, and the request for the next page. `link` is the address that the answer's `Link` header gives it.
    #[doc(hidden)]
    fn turn(self, asked: &Request, link: Option<&str>) -> (Vec<Self::Item>, Option<Request>);
}

/// The state of things: what is next stands in a header.
impl<T: DeserializeOwned> Sheet for Vec<T> {
    type Item = T;

    fn turn(self, asked: &Request, link: Option<&str>) -> (Vec<T>, Option<Request>) {
        (self, link.map(|link| asked.moved(link)))
    }
}

/// The past: what is next stands in the page.
impl<T: DeserializeOwned> Sheet for dto::Page<T> {
    type Item = T;

    fn turn(self, asked: &Request, _: Option<&str>) -> (Vec<T>, Option<Request>) {
        let next = self.next.map(|next| asked.clone().given("after", Some(next)));
        (self.items, next)
    }
}

/// A call whose answer is bytes that may go on for as long as they like.
#[derive(Debug, Clone)]
pub struct Raw {
    pub(super) request: Request,
}

impl Raw {
    /// What is sent.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Waits so long for the answer to begin.
    #[must_use]
    pub fn within(self, patience: Duration) -> Self {
        Self { request: self.request.within(patience) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_segment() {
        let request = Request::v1(Method::GET, &["pools", "../mode?x=1 %ü"]);
        assert_eq!(request.target(), "/api/v1/pools/..%2Fmode%3Fx%3D1%20%25%C3%BC");
    }

    #[test]
    fn a_query_holds_what_is_given_once() {
        let request =
            Request::v1(Method::GET, &["audit"]).given("pool", None::<&str>).given("after", Some(3));
        assert_eq!(request.target(), "/api/v1/audit?after=3");
        assert_eq!(request.given("after", Some("a&b")).target(), "/api/v1/audit?after=a%26b");
    }

    #[test]
    fn both_kinds_of_pages_lead_on() {
        let asked = Request::v1(Method::GET, &["pools"]).given("limit", Some(2));
        let (items, next) = vec![1, 2].turn(&asked, Some("/api/v1/pools?limit=2&after=2~b"));
        assert_eq!(
            (items, next.unwrap().target()),
            (vec![1, 2], "/api/v1/pools?limit=2&after=2~b".to_owned())
        );
        let page = dto::Page { items: vec![1], next: Some("7 8".to_owned()) };
        assert_eq!(page.turn(&asked, None).1.unwrap().target(), "/api/v1/pools?limit=2&after=7%208");
        assert_eq!(vec![1].turn(&asked, None).1, None);
    }
}
