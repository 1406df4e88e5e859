//! Serving the socket until the daemon stops.

use std::io;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::ControlSocket;
use super::Peer;
use super::router;
use crate::control::Facade;

/// How long requests under way may take to end at a stop. Someone following a log would otherwise hold the daemon.
const GRACE: Duration = Duration::from_secs(1);

/// Answers on the socket until `stop`, then removes it.
///
/// # Errors
/// The listener failed.
pub async fn serve(mut socket: ControlSocket, facade: Facade, stop: CancellationToken) -> io::Result<()> {
    let Some(listener) = socket.take_listener() else { return Ok(()) };
    let app = router(facade, socket.operators().clone()).into_make_service_with_connect_info::<Peer>();
    let server = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = server => ended,
        () = late => Ok(()),
    }
}
