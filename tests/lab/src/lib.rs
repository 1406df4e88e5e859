//! A bench for the real daemon, the simulator and a real container engine: what tests, benchmarks and demonstrations
//! share.
//!
//! - [`Proxy`] stands before an engine's socket or an API, records what passes, breaks on request, and calls hooks at
//!   chosen requests.
//! - [`Daemon`] is a `ghrunner` process with files of its own.
//! - [`Fleet`] is one instance's containers, networks, volumes and images, all removed when it is dropped.
//! - [`standin`] makes images of the stand-in runner, and [`host_address`] is where containers reach this machine.
//!
//! Nothing here knows the daemon's code: it is a program, a file and a socket.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let fleet = lab::Fleet::new(&lab::unique("t")).await?;
//! let image = fleet.image("ok", &[]).await?;
//! let address = lab::host_address(fleet.docker()).await?;
//! let sim = githubsim::Sim::builder().listen(&format!("{address}:0")).start().await?;
//! let proxy = lab::Proxy::engine("/tmp/engine.sock", lab::ENGINE).await?;
//! let mut daemon = lab::Daemon::new("target/debug/ghrunner")?;
//! daemon.secret("token", "ghp_test")?;
//! daemon.configure(&format!(
//!     "[github]\nurl = {:?}\ntoken = {{ file = {:?} }}\n[host]\nname = {:?}\n[pools.{}]\norg = \"acme\"\nimage = {image:?}",
//!     sim.base_url(), daemon.path("token"), fleet.instance(), fleet.pool("a"),
//! ))?;
//! daemon.start().await?;
//! daemon.wait_for("a runner", lab::secs(20), |s| s["runners"][0]["phase"] == "idle").await?;
//! daemon.stop().await?;
//! # Ok(())
//! # }
//! ```

mod daemon;
mod fleet;
mod image;
mod proxy;

use std::io;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub use daemon::Daemon;
pub use fleet::Fleet;
pub use fleet::Things;
pub use image::standin;
pub use image::standin_program;
pub use proxy::Address;
pub use proxy::Proxy;
pub use proxy::Record;
pub use proxy::Verdict;
pub use proxy::When;

/// The engine's socket on a usual machine.
pub const ENGINE: &str = "/run/docker.sock";

/// A name that no other test or process of this machine uses at this time, fit for an instance: `prefix` (one or two
/// letters) and up to six letters or digits.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut number =
        u64::from(std::process::id()) * 36 + u64::from(NEXT.fetch_add(1, Ordering::Relaxed) % 36);
    let mut text = String::new();
    while number > 0 {
        let digit = u32::try_from(number % 36).unwrap_or(0);
        text.insert(0, char::from_digit(digit, 36).unwrap_or('0'));
        number /= 36;
    }
    format!("{prefix}{text}")
}

/// Seconds.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Where containers reach this machine, whatever network they are on: the address of the engine's default bridge.
///
/// # Errors
/// The engine does not answer, or its default bridge is not on this machine.
pub async fn host_address(docker: &bollard::Docker) -> io::Result<String> {
    let bridge = docker.inspect_network("bridge", None).await.map_err(io::Error::other)?;
    let name = bridge.options.unwrap_or_default().remove("com.docker.network.bridge.name");
    let name = name.unwrap_or_else(|| "docker0".to_owned());
    // The engine's own answer lacks the address at times.
    let mut interfaces = nix::ifaddrs::getifaddrs()?.filter(|interface| interface.interface_name == name);
    let address =
        interfaces.find_map(|interface| Some(interface.address?.as_sockaddr_in()?.ip().to_string()));
    address.ok_or_else(|| io::Error::other(format!("this machine has no interface {name} with an address")))
}

/// An address of this machine that is none of the engine's bridges: inner engines have bridges of their own, with the
/// same addresses as the outer ones, and hide those from who shares their network.
///
/// # Errors
/// There is none.
pub fn outer_address() -> io::Result<String> {
    let outer =
        |name: &str| name != "lo" && !["docker", "br-", "veth"].iter().any(|own| name.starts_with(own));
    let mut interfaces = nix::ifaddrs::getifaddrs()?.filter(|interface| outer(&interface.interface_name));
    let address =
        interfaces.find_map(|interface| Some(interface.address?.as_sockaddr_in()?.ip().to_string()));
    address.ok_or_else(|| io::Error::other("this machine has no address beside the engine's"))
}

/// Waits until `found` gives something; looks ten times a second.
///
/// # Errors
/// It gave nothing within `limit`; the text says what was waited for.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut found: impl AsyncFnMut() -> Option<T>,
) -> io::Result<T> {
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        if let Some(found) = found().await {
            return Ok(found);
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(io::Error::other(format!("not within {limit:?}: {what}")));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
