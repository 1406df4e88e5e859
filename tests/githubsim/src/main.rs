//! The simulator as a program.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use githubsim::Image;
use githubsim::Sim;
use githubsim::State;

/// A stand-in for GitHub's side of self-hosted runners.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the stand-in runner's image to standard output.
    Image(ImageArguments),
}

#[derive(Debug, Args)]
struct ImageArguments {
    /// Name of the image; with it the output is for `docker load`, without for `docker import`.
    #[arg(long)]
    tag: Option<String>,
    /// A variable (K=V) that the runner is to find, such as STANDIN_BEHAVIOUR=exit:1.
    #[arg(long = "env")]
    environment: Vec<String>,
    /// The statically linked stand-in runner; without it the one beside this program.
    #[arg(long)]
    runner: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Serve {
    /// Address to listen at.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// URL by which runners reach the simulator, if not the one its clients use.
    #[arg(long)]
    advertise: Option<String>,
    /// What exists at the start (TOML).
    #[arg(long)]
    state: Option<PathBuf>,
    /// Where to write each exchange (JSON lines).
    #[arg(long)]
    exchange_log: Option<PathBuf>,
    /// Faults: METHOD PATH KIND [option]…, several parted by `;`.
    #[arg(long, default_value = "")]
    faults: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::from_default_env().add_directive(tracing::Level::INFO.into()),
        )
        .init();
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Some(Command::Image(image)) => write_image(image),
        None => serve(arguments.serve).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut cause: Option<&dyn Error> = Some(error.as_ref());
            while let Some(error) = cause {
                tracing::error!("{error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn write_image(arguments: ImageArguments) -> Result<(), Box<dyn Error>> {
    let beside = || std::env::current_exe().map(|me| me.with_file_name("standin-runner"));
    let path = arguments.runner.map_or_else(beside, Ok)?;
    let image = Image { program: std::fs::read(path)?, environment: arguments.environment };
    let bytes = arguments.tag.map_or_else(|| image.files(), |tag| image.archive(&tag));
    Ok(std::io::stdout().lock().write_all(&bytes)?)
}

async fn serve(arguments: Serve) -> Result<(), Box<dyn Error>> {
    let state = match &arguments.state {
        Some(path) => State::load(path)?,
        None => State::default(),
    };
    let mut builder = Sim::builder().state(state).listen(&arguments.listen).faults(&arguments.faults);
    if let Some(url) = &arguments.advertise {
        builder = builder.advertise(url);
    }
    if let Some(path) = arguments.exchange_log {
        builder = builder.exchange_log(path);
    }
    let sim = builder.start().await?;
    tracing::info!(address = %sim.address(), "Listening");
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
    sim.stop().await;
    Ok(())
}
