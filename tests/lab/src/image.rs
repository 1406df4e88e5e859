//! The stand-in runner, compiled once, and images of it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use bollard::Docker;
use bollard::query_parameters::ImportImageOptionsBuilder;
use futures_util::TryStreamExt;
use githubsim::Image;
use nix::fcntl::Flock;
use nix::fcntl::FlockArg;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The statically linked stand-in runner. `$STANDIN_RUNNER` may name one; else it is compiled, at most once in each
/// run of tests.
///
/// # Errors
/// It cannot be compiled.
pub fn standin_program() -> io::Result<PathBuf> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    if let Some(path) = BUILT.get() {
        return Ok(path.clone());
    }
    let path = match std::env::var_os("STANDIN_RUNNER") {
        Some(path) => PathBuf::from(path),
        None => compiled_in_this_run()?,
    };
    Ok(BUILT.get_or_init(|| path).clone())
}

/// Test processes of one nextest run share what the first of them compiled.
fn compiled_in_this_run() -> io::Result<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shelf = workspace.join("target/lab");
    std::fs::create_dir_all(&shelf)?;
    let lock = File::create(shelf.join("standin.lock"))?;
    let _held = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, errno)| io::Error::from(errno))?;
    let run = std::env::var("NEXTEST_RUN_ID").unwrap_or_default();
    let note = shelf.join("standin.run");
    let noted = std::fs::read_to_string(&note).unwrap_or_default();
    if let Some((_, path)) = noted.split_once('\n').filter(|(of, _)| !run.is_empty() && *of == run)
        && Path::new(path).exists()
    {
        return Ok(PathBuf::from(path));
    }
    let path = compile(&workspace)?;
    std::fs::write(note, format!("{run}\n{}", path.display()))?;
    Ok(path)
}

fn compile(workspace: &Path) -> io::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let done = Command::new(cargo)
        .current_dir(workspace)
        .args(["build", "-q", "-p", "githubsim", "--bin", "standin-runner", "--target", TARGET])
        .arg("--message-format=json")
        .env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("RUSTFLAGS")
        .output()?;
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    let made = told.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let made = made.filter_map(|line| line["executable"].as_str().map(PathBuf::from)).next_back();
    made.filter(|_| done.status.success()).ok_or_else(|| {
        io::Error::other(format!("cannot compile the stand-in: {}", String::from_utf8_lossy(&done.stderr)))
    })
}

/// Loads an image of the stand-in runner as `reference`, in whose containers it finds `environment` (`K=V`), such as
/// `STANDIN_BEHAVIOUR=exit:1`.
///
/// # Errors
/// The stand-in cannot be compiled, or the engine refuses the image.
pub async fn standin(docker: &Docker, reference: &str, environment: &[&str]) -> io::Result<()> {
    let path = tokio::task::spawn_blocking(standin_program).await.map_err(io::Error::other)??;
    let image = Image {
        program: tokio::fs::read(path).await?,
        environment: environment.iter().map(ToString::to_string).collect(),
    };
    let body = bollard::body_full(image.archive(reference).into());
    let options = ImportImageOptionsBuilder::new().quiet(true).build();
    docker.import_image(options, body, None).try_collect::<Vec<_>>().await.map_err(io::Error::other)?;
    Ok(())
}
