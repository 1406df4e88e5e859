//! The fleet for agents: a server of the Model Context Protocol (<https://modelcontextprotocol.io>), over HTTP beside the
//! API and over standard input and output.
//!
//! **Knows** which tools there are, what they are called and what they take and give; how an agent is told that something
//! went wrong, and what to do then.
//! **Does not know** the fleet, nor who may do what: a tool is calls of the API, asked through a `Door`, and refused
//! or told of there as any other call is.
//!
//! Invariants: a tool that says it only looks has no way to do more, since it is handed nothing that could; no answer is
//! longer than its page; nothing is remembered from one call to the next.

mod cut;
mod door;
mod inside;
mod server;
mod socket;
mod tool;
mod tools;
mod trouble;

pub use server::StdioError;
pub use server::over_http;
pub use server::over_stdio;
pub use server::over_streams;
