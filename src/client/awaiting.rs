//! The client that is awaited: hyper over the socket, or over TCP and TLS.

use std::error::Error;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use http::Method;
use http::Uri;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::net::UnixStream;

use super::ClientError;
use super::Endpoint;
use super::address::Address;
use super::answer::Answer;
use super::answer::MAX_BYTES;
use super::answer::MAX_REFUSAL_BYTES;
use super::call;
use super::endpoint::Place;
use super::events::Parser;
use super::events::SILENCE;
use super::events::Told;
use super::pager::Pager;
use super::request::Call;
use super::request::List;
use super::request::Raw;
use super::request::Request;
use super::request::Sheet;
use super::tls;

/// How long a connection that nobody uses is kept: the daemon closes it after half a minute, and a request on one that is
/// just being closed is lost.
pub(super) const KEEP_IDLE: Duration = Duration::from_secs(20);

/// The daemon, for programs that await its answers. Cheap to clone; needs a tokio runtime with IO and time.
///
/// ```no_run
/// use ghrunner::client::Client;
/// use ghrunner::client::Endpoint;
/// use ghrunner::client::call;
///
/// # async fn run() -> Result<(), ghrunner::client::ClientError> {
/// let daemon = Client::new(&Endpoint::socket("/run/ghrunner/ghrunner.sock"))?;
/// let busy = daemon.all(call::runners()).await?.into_iter().filter(|runner| runner.phase.to_string() == "busy").count();
/// println!("{busy} runners are busy, and {}", daemon.ask(call::whoami()).await?.role);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    address: Arc<Address>,
    wire: Wire,
}

/// A way to the daemon.
#[derive(Debug, Clone)]
enum Wire {
    Socket(legacy::Client<SocketConnector, Full<Bytes>>),
    Network(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl Client {
    /// Speaks to the daemon there, once it is asked something.
    ///
    /// # Errors
    /// The endpoint is none that could be used; nothing is sent yet.
    pub fn new(endpoint: &Endpoint) -> Result<Self, ClientError> {
        let address = Address::new(endpoint)?;
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(KEEP_IDLE);
        let wire = match &endpoint.0 {
            Place::Socket(path) => Wire::Socket(builder.build(SocketConnector(path.clone().into()))),
            Place::Network { ca_file, .. } => {
                let mut tcp = HttpConnector::new();
                tcp.enforce_http(false);
                tcp.set_nodelay(true);
                tcp.set_keepalive(Some(KEEP_IDLE));
                let tls = tls::config(ca_file.as_deref())?;
                let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
                Wire::Network(builder.build(https.wrap_connector(tcp)))
            }
        };
        Ok(Self { address: Arc::new(address), wire })
    }

    /// Asks, and waits for the whole answer.
    ///
    /// # Errors
    /// There was no answer, or a refusal, or none that makes sense: see [`ClientError`].
    pub async fn ask<T>(&self, call: Call<T>) -> Result<T, ClientError> {
        let answer = self.whole(&call.request).await?.accepted()?;
        (call.read)(&answer.body)
    }

    /// One exchange, for a part of this crate that has words of its own for what it asks: the answer's body, and the path of
    /// the next page where there is one.
    pub(crate) async fn carry(
        &self,
        method: Method,
        target: &str,
        body: Option<String>,
    ) -> Result<(Bytes, Option<String>), ClientError> {
        let answer = self.whole(&Request::at(method, target, body)).await?.accepted()?;
        Ok((answer.body, answer.link))
    }

    /// A list, all its pages together.
    ///
    /// # Errors
    /// As [`Client::ask`], of any of the pages; the list has no end.
    pub async fn all<P: Sheet>(&self, list: List<P>) -> Result<Vec<P::Item>, ClientError> {
        let (mut pager, mut all) = (Pager::new(list), Vec::new());
        while let Some(asked) = pager.next() {
            let asked = asked?;
            all.append(&mut pager.turn(&asked, self.whole(&asked).await?)?);
        }
        Ok(all)
    }

    /// A list, whose pages are asked for as they are come to. After an error nothing follows.
    ///
    /// Each item is an error for the reasons of [`Client::all`].
    pub fn items<P: Sheet>(
        &self,
        list: List<P>,
    ) -> impl Stream<Item = Result<P::Item, ClientError>> + use<P> {
        let client = self.clone();
        let pages = stream::unfold(Pager::new(list), move |mut pager| {
            let client = client.clone();
            async move {
                let page = match pager.next()? {
                    Err(why) => Err(why),
                    Ok(asked) => match client.whole(&asked).await {
                        Err(why) => Err(why),
                        Ok(answer) => pager.turn(&asked, answer),
                    },
                };
                Some((page.map(|items| stream::iter(items.into_iter().map(Ok))), pager))
            }
        });
        pages.try_flatten()
    }

    /// Asks for what may go on for as long as it likes, and gives it as it comes.
    ///
    /// # Errors
    /// As [`Client::ask`], until the answer begins; then the parts are errors where the connection breaks.
    pub async fn read(
        &self,
        raw: Raw,
    ) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + Send + Unpin + use<>, ClientError> {
        let response = self.begun(&raw.request).await?;
        let parts = response.into_body().into_data_stream();
        Ok(parts.map_err(|why| ClientError::Broken(causes(&why))))
    }

    /// The fleet as it changes: a snapshot, then changes, at most one a second. Who heard some before and gives the id of the
    /// last one gets what was missed instead of the snapshot, where the daemon still knows it.
    ///
    /// It ends when the daemon stops, and with an error when the connection breaks or is silent for too long; ask again
    /// with the last id then.
    ///
    /// # Errors
    /// As [`Client::read`]; too many listen already.
    pub async fn events(
        &self,
        last: Option<&str>,
    ) -> Result<impl Stream<Item = Result<Told, ClientError>> + Send + use<>, ClientError> {
        let parts = self.read(call::events(last)).await?;
        Ok(stream::unfold(Some((parts, Parser::default())), |state| async move {
            let (mut parts, mut parser) = state?;
            loop {
                if let Some(told) = parser.next() {
                    return Some((Ok(told), Some((parts, parser))));
                }
                let fed = match tokio::time::timeout(SILENCE, parts.next()).await {
                    Err(_) => Err(ClientError::Late { after: SILENCE }),
                    Ok(None) => return None,
                    Ok(Some(part)) => part.and_then(|part| parser.feed(&part)),
                };
                if let Err(why) = fed {
                    return Some((Err(why), None));
                }
            }
        }))
    }

    /// An answer, good or not, to its end.
    async fn whole(&self, asked: &Request) -> Result<Answer, ClientError> {
        let exchange = async {
            let (head, body) = self.send(asked).await?.into_parts();
            let limit = if head.status.is_success() { MAX_BYTES } else { MAX_REFUSAL_BYTES };
            Ok(Answer::new(head.status, &head.headers, collected(body, limit).await?))
        };
        let after = asked.patience;
        tokio::time::timeout(after, exchange).await.unwrap_or(Err(ClientError::Late { after }))
    }

    /// A good answer, with its body still to come.
    async fn begun(&self, asked: &Request) -> Result<http::Response<Incoming>, ClientError> {
        let exchange = async {
            let response = self.send(asked).await?;
            if response.status().is_success() {
                return Ok(response);
            }
            let (head, body) = response.into_parts();
            let refusal = Answer::new(head.status, &head.headers, collected(body, MAX_REFUSAL_BYTES).await?);
            refusal.accepted().and_then(|_| Err(ClientError::Malformed(format!("status {}", head.status))))
        };
        let after = asked.patience;
        tokio::time::timeout(after, exchange).await.unwrap_or(Err(ClientError::Late { after }))
    }

    async fn send(&self, asked: &Request) -> Result<http::Response<Incoming>, ClientError> {
        let request = self.address.request(asked)?.map(Full::new);
        let response = match &self.wire {
            Wire::Socket(wire) => wire.request(request).await,
            Wire::Network(wire) => wire.request(request).await,
        };
        response.map_err(|why| match found::<io::Error>(&why).filter(|_| why.is_connect()) {
            Some(refused) => match self.address.unreached(refused) {
                ClientError::Broken(_) => ClientError::Broken(causes(&why)),
                known => known,
            },
            None => ClientError::Broken(causes(&why)),
        })
    }
}

async fn collected(body: Incoming, limit: usize) -> Result<Bytes, ClientError> {
    let body = Limited::new(body, limit).collect().await.map_err(|why| {
        match why.downcast_ref::<LengthLimitError>() {
            Some(_) => ClientError::TooLarge { limit },
            None => ClientError::Broken(causes(why.as_ref())),
        }
    })?;
    Ok(body.to_bytes())
}

/// Connects to one socket, whatever the address says.
#[derive(Debug, Clone)]
struct SocketConnector(Arc<PathBuf>);

impl tower_service::Service<Uri> for SocketConnector {
    type Response = TokioIo<UnixStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let path = Arc::clone(&self.0);
        Box::pin(async move { UnixStream::connect(path.as_path()).await.map(TokioIo::new) })
    }
}

/// An error with what lies below it.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

fn found<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// An error's causes in words, without saying anything twice.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    for text in chain(error).map(ToString::to_string) {
        if !said.iter().any(|s| s.contains(&text)) {
            said.push(text);
        }
    }
    said.join(": ")
}
