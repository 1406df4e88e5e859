//! The API as a part of this program asks it, on behalf of somebody who asked that part.

use axum::Router;
use axum::body::Body;
use axum::body::Bytes;
use axum::http::Extensions;
use axum::http::HeaderValue;
use axum::http::Request;
use axum::http::Response;
use http_body_util::BodyExt as _;
use tower_service::Service as _;

use super::access::Caller;
use super::access::Role;
use super::envelope::RequestId;
use super::envelope::X_REQUEST_ID;

/// The API without a network before it. Who asks is whoever sent the request that led here: what that one may do, and what
/// is told of it, is the same as if it had asked by itself. Cheap to clone.
#[derive(Clone)]
pub struct Inside(Router);

impl Inside {
    /// Before routes that take callers at their word ([`super::access::Gate::Inside`]).
    pub(super) fn new(routes: Router) -> Self {
        Self(routes)
    }

    /// What whoever sent a request may do, by the request's extensions; nothing where that is not known.
    pub fn role(from: &Extensions) -> Option<Role> {
        from.get::<Caller>().and_then(Caller::role)
    }

    /// Asks as whoever sent the request that these extensions are of. The answer is one of the API's, refusals among them.
    pub async fn call(&self, from: &Extensions, request: Request<Bytes>) -> Response<Bytes> {
        let mut request = request.map(Body::from);
        if let Some(caller) = from.get::<Caller>() {
            request.extensions_mut().insert(caller.clone());
        }
        // Under its own id the journal's line would lead nowhere.
        if let Some(id) = from.get::<RequestId>()
            && let Ok(id) = HeaderValue::from_str(&id.to_string())
        {
            request.headers_mut().insert(X_REQUEST_ID, id);
        }
        let Ok(response) = self.0.clone().call(request).await;
        let (head, body) = response.into_parts();
        // These bodies are in memory: none of them can break off.
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Response::from_parts(head, body)
    }
}
