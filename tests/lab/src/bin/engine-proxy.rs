//! The recording proxy as a program, for scripts.

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use lab::Proxy;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

/// Stands before a container engine's socket and writes down each request.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The socket to make.
    #[arg(long, value_name = "SOCK")]
    listen: PathBuf,
    /// The engine's own.
    #[arg(long, value_name = "SOCK", default_value = lab::ENGINE)]
    engine: PathBuf,
    /// Where to write each request (JSON lines).
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let proxy = Proxy::engine(arguments.listen, arguments.engine).await?;
    proxy.log_to(arguments.log)?;
    let mut term = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
    Ok(())
}
