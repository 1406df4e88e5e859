//! A whole answer, judged.

use bytes::Bytes;
use http::HeaderMap;
use http::StatusCode;

use super::ClientError;
use crate::http::Problem;

/// The most that an answer may hold, in bytes: ten thousand runners need about 10 MB.
pub(super) const MAX_BYTES: usize = 256 * 1024 * 1024;

/// The most of a refusal that is read, in bytes.
pub(super) const MAX_REFUSAL_BYTES: usize = 1024 * 1024;

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Where the next page is.
    pub(super) link: Option<String>,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Self {
        Self { status, link: next_page(headers), body }
    }

    /// The answer, if it is what was asked for.
    ///
    /// # Errors
    /// The daemon's refusal, or one of somebody on the way.
    pub(super) fn accepted(self) -> Result<Self, ClientError> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(match serde_json::from_slice::<Problem>(&self.body) {
            Ok(problem) => ClientError::Refused(Box::new(problem)),
            Err(_) => ClientError::Malformed(format!("status {}", self.status)),
        })
    }
}

/// What an answer comes to that did not come over the wire: its body, and the path of the next page where there is one.
///
/// # Errors
/// A refusal.
pub(crate) fn settled(
    head: &http::response::Parts,
    body: Bytes,
) -> Result<(Bytes, Option<String>), ClientError> {
    let answer = Answer::new(head.status, &head.headers, body).accepted()?;
    Ok((answer.body, answer.link))
}

/// The path of the next page, where there is one (`Link: </path>; rel="next"`).
fn next_page(headers: &HeaderMap) -> Option<String> {
    let link = headers.get("link")?.to_str().ok()?;
    let (path, rest) = link.strip_prefix('<')?.split_once('>')?;
    (path.starts_with('/') && rest.contains("rel=\"next\"")).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &'static str) -> Answer {
        Answer::new(
            StatusCode::from_u16(status).unwrap(),
            &HeaderMap::new(),
            Bytes::from_static(body.as_bytes()),
        )
    }

    #[test]
    fn a_refusal_keeps_what_the_daemon_said_and_passes_over_what_it_adds() {
        let body =
            r#"{"status":404,"code":"no_such_pool","detail":"no","request_id":"r","type":"about:blank"}"#;
        let error = answer(404, body).accepted().err().unwrap();
        assert_eq!(
            (error.status(), error.code(), error.to_string()),
            (Some(404), Some("no_such_pool"), "no".to_owned())
        );
    }

    #[test]
    fn an_error_that_is_not_the_daemons_is_told_by_its_status() {
        for (status, body) in [(502, "<html>"), (302, ""), (500, r#"{"message":"x"}"#)] {
            let error = answer(status, body).accepted().err().unwrap();
            assert!(error.to_string().contains(&status.to_string()), "{error}");
        }
    }

    #[test]
    fn the_next_page_is_at_the_same_place_or_nowhere() {
        let link = |text: &'static str| {
            next_page(&HeaderMap::from_iter([(http::header::LINK, http::HeaderValue::from_static(text))]))
        };
        assert_eq!(
            link("</api/v1/pools?after=1~a>; rel=\"next\"").as_deref(),
            Some("/api/v1/pools?after=1~a")
        );
        for bad in ["<https://evil.example/>; rel=\"next\"", "</a>; rel=\"prev\"", "/a"] {
            assert_eq!(link(bad), None, "{bad}");
        }
    }
}
