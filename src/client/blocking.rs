//! The client that waits: no runtime is needed. It must not be used within one, whose thread it would hold.

mod transport;

use std::io;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use ureq::Agent;
use ureq::Body;
use ureq::http::Response;

use self::transport::Connect;
use self::transport::NoResolver;
use super::ClientError;
use super::Endpoint;
use super::address::Address;
use super::answer::Answer;
use super::answer::MAX_BYTES;
use super::answer::MAX_REFUSAL_BYTES;
use super::awaiting::KEEP_IDLE;
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

/// The daemon, for programs that wait for its answers. Cheap to clone.
///
/// ```no_run
/// use std::io::Read as _;
///
/// use ghrunner::client::Endpoint;
/// use ghrunner::client::blocking::Client;
/// use ghrunner::client::call;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let daemon = Client::new(&Endpoint::socket("/run/ghrunner/ghrunner.sock"))?;
/// let mut output = daemon.read(call::logs("ghrunner-build-0", 100, true))?;
/// std::io::copy(&mut output, &mut std::io::stdout())?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    address: Address,
}

/// Of what has an end, or may go on.
#[derive(Debug, Clone, Copy)]
enum Wait {
    /// For all of it.
    Whole,
    /// For its beginning, and then so long between two parts, or for ever.
    Parts(Option<Duration>),
}

impl Client {
    /// Speaks to the daemon there, once it is asked something.
    ///
    /// # Errors
    /// The endpoint is none that could be used; nothing is sent yet.
    pub fn new(endpoint: &Endpoint) -> Result<Self, ClientError> {
        let address = Address::new(endpoint)?;
        let connect = match &endpoint.0 {
            Place::Socket(path) => Connect::socket(path),
            Place::Network { ca_file, .. } => Connect::network(tls::config(ca_file.as_deref())?),
        };
        Ok(Self::with(address, connect))
    }

    /// Speaks to the daemon of this machine at its control socket.
    pub fn at_socket(path: &Path) -> Self {
        Self::with(Address::of_socket(path.to_owned()), Connect::socket(path))
    }

    fn with(address: Address, connect: Connect) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A credential goes to the address that was named: over no proxy of the environment, and to no other place.
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_age(KEEP_IDLE)
            .build();
        Self { agent: Agent::with_parts(config, connect, NoResolver), address }
    }

    /// Asks, and waits for the whole answer.
    ///
    /// # Errors
    /// There was no answer, or a refusal, or none that makes sense: see [`ClientError`].
    pub fn ask<T>(&self, call: Call<T>) -> Result<T, ClientError> {
        let answer = self.whole(&call.request)?.accepted()?;
        (call.read)(&answer.body)
    }

    /// A list, all its pages together.
    ///
    /// # Errors
    /// As [`Client::ask`], of any of the pages; the list has no end.
    pub fn all<P: Sheet>(&self, list: List<P>) -> Result<Vec<P::Item>, ClientError> {
        self.items(list).collect()
    }

    /// A list, whose pages are asked for as they are come to. After an error nothing follows.
    ///
    /// Each item is an error for the reasons of [`Client::all`].
    pub fn items<P: Sheet>(
        &self,
        list: List<P>,
    ) -> impl Iterator<Item = Result<P::Item, ClientError>> + use<P> {
        let (client, mut pager) = (self.clone(), Pager::new(list));
        let pages = std::iter::from_fn(move || {
            let page = pager.next()?.and_then(|asked| {
                let answer = client.whole(&asked)?;
                pager.turn(&asked, answer)
            });
            Some(page)
        });
        pages.flat_map(|page| {
            let (items, error) = match page {
                Ok(items) => (items, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            items.into_iter().map(Ok).chain(error)
        })
    }

    /// Asks for what may go on for as long as it likes, and gives it as it comes.
    ///
    /// # Errors
    /// As [`Client::ask`], until the answer begins; then reading fails where the connection breaks.
    pub fn read(&self, raw: Raw) -> Result<impl Read + Send + use<>, ClientError> {
        self.begun(&raw.request, None)
    }

    /// The fleet as it changes: a snapshot, then changes, at most one a second. Who heard some before and gives the id of the
    /// last one gets what was missed instead of the snapshot, where the daemon still knows it.
    ///
    /// It ends when the daemon stops, and with an error when the connection breaks or is silent for too long; ask again
    /// with the last id then.
    ///
    /// # Errors
    /// As [`Client::read`]; too many listen already.
    pub fn events(
        &self,
        last: Option<&str>,
    ) -> Result<impl Iterator<Item = Result<Told, ClientError>> + use<>, ClientError> {
        let mut parts = Some(self.begun(&call::events(last).request, Some(SILENCE))?);
        let (mut parser, mut buffer) = (Parser::default(), vec![0; 16 * 1024]);
        Ok(std::iter::from_fn(move || {
            loop {
                if let Some(told) = parser.next() {
                    return Some(Ok(told));
                }
                let fed = match parts.as_mut()?.read(&mut buffer) {
                    Ok(0) => return None,
                    Ok(n) => parser.feed(&buffer[..n]),
                    Err(why) => Err(broken(&why)),
                };
                if let Err(why) = fed {
                    parts = None;
                    return Some(Err(why));
                }
            }
        }))
    }

    /// An answer, good or not, to its end.
    fn whole(&self, asked: &Request) -> Result<Answer, ClientError> {
        let response = self.send(asked, Wait::Whole)?;
        let limit = if response.status().is_success() { MAX_BYTES } else { MAX_REFUSAL_BYTES };
        self.collected(response, limit, asked)
    }

    /// A good answer, with its body still to come.
    fn begun(
        &self,
        asked: &Request,
        silence: Option<Duration>,
    ) -> Result<impl Read + Send + use<>, ClientError> {
        let response = self.send(asked, Wait::Parts(silence))?;
        if !response.status().is_success() {
            self.collected(response, MAX_REFUSAL_BYTES, asked)?.accepted()?;
            return Err(ClientError::Malformed("it is neither good nor bad".to_owned()));
        }
        Ok(response.into_body().into_reader())
    }

    fn collected(
        &self,
        response: Response<Body>,
        limit: usize,
        asked: &Request,
    ) -> Result<Answer, ClientError> {
        let (head, mut body) = response.into_parts();
        // One more than is kept tells that there is more.
        let read = body.with_config().limit(limit as u64 + 1).read_to_vec();
        let bytes = read.map_err(|why| match why {
            ureq::Error::BodyExceedsLimit(_) => ClientError::TooLarge { limit },
            other => self.failed(other, asked),
        })?;
        match bytes.len() > limit {
            true => Err(ClientError::TooLarge { limit }),
            false => Ok(Answer::new(head.status, &head.headers, bytes.into())),
        }
    }

    fn send(&self, asked: &Request, wait: Wait) -> Result<Response<Body>, ClientError> {
        let patience = Some(asked.patience);
        let (head, body) = self.address.request(asked)?.into_parts();
        let sent = match body.is_empty() {
            true => {
                let request = self.agent.configure_request(ureq::http::Request::from_parts(head, ()));
                let request = match wait {
                    Wait::Whole => request.timeout_global(patience),
                    Wait::Parts(silence) => request
                        .timeout_connect(patience)
                        .timeout_recv_response(patience)
                        .timeout_per_read(silence),
                };
                self.agent.run(request.build())
            }
            false => {
                let request =
                    self.agent.configure_request(ureq::http::Request::from_parts(head, body.to_vec()));
                self.agent.run(request.timeout_global(patience).build())
            }
        };
        sent.map_err(|why| self.failed(why, asked))
    }

    fn failed(&self, error: ureq::Error, asked: &Request) -> ClientError {
        match error {
            ureq::Error::Io(why) => self.address.unreached(&why),
            ureq::Error::Timeout(_) => ClientError::Late { after: asked.patience },
            other => ClientError::Broken(other.to_string()),
        }
    }
}

/// Why reading on failed.
fn broken(error: &io::Error) -> ClientError {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => ClientError::Late { after: SILENCE },
        _ => ClientError::Broken(error.to_string()),
    }
}
