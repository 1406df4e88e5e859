//! What the engine's answers mean, told from its status codes and words.

use std::error::Error as _;
use std::time::Duration;

use bollard::errors::Error;

use super::EngineError;

/// Instead of an answer that is not as the API describes it.
const UNREADABLE: &str = "the answer is not what the API's description says; is that a container engine?";

/// Turns an answer into what it means.
pub(super) fn meaning(call: &'static str, endpoint: &str, within: Duration, err: Error) -> EngineError {
    match err {
        Error::DockerResponseServerError { status_code, message } => refusal(call, status_code, message),
        Error::RequestTimeoutError => EngineError::TimedOut { call, within },
        Error::DockerStreamError { error } => refusal(call, 500, error),
        Error::JsonDataError { .. } | Error::JsonSerdeError { .. } | Error::APIVersionParseError {} => {
            // The engine's text is left out: an inspected container's holds its environment.
            refusal(call, 500, UNREADABLE.to_owned())
        }
        other => EngineError::Unreachable { endpoint: endpoint.to_owned(), why: reach(&other) },
    }
}

/// A status and the words beside it.
fn refusal(call: &'static str, status: u16, message: String) -> EngineError {
    if let (404, Some(image)) = (status, no_such_image(&message)) {
        return EngineError::NoSuchImage { image };
    }
    match taken_name(&message) {
        Some(name) if status == 409 || status == 500 => EngineError::NameTaken { name },
        // Podman's 500 for what Docker calls a bad request: it will fail the same way again.
        _ if status == 500 && message.contains("command that was not found") => {
            EngineError::Refused { call, status: 400, message }
        }
        _ => EngineError::Refused { call, status, message },
    }
}

/// `No such image: NAME` (Docker), `NAME: image not known` (Podman), which may come with a longer chain around it.
fn no_such_image(message: &str) -> Option<String> {
    if let Some((_, rest)) = message.split_once("No such image: ") {
        return Some(rest.trim().to_owned());
    }
    let (before, _) = message.split_once(": image not known")?;
    Some(before.rsplit(": ").next().unwrap_or(before).trim().to_owned())
}

/// `Conflict. The container name "/NAME" is already in use by …` (Docker),
/// `the container name "NAME" is already in use by …` (Podman).
fn taken_name(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("ontainer name \"")?;
    let (name, rest) = rest.split_once('"')?;
    rest.contains("already in use").then(|| name.trim_start_matches('/').to_owned())
}

/// The system's own words below the layers of the client library.
fn reach(err: &Error) -> String {
    if let Error::SocketNotFoundError(_) = err {
        return "no such file; is the engine installed and running?".to_owned();
    }
    let mut source = err.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return io_words(io);
        }
        source = cause.source();
    }
    match err {
        Error::IOError { err } => io_words(err),
        // `transparent` variants show only their outermost layer; the innermost says more.
        other => innermost(other),
    }
}

fn io_words(err: &std::io::Error) -> String {
    match err.kind() {
        std::io::ErrorKind::NotFound => "no such file; is the engine installed and running?".to_owned(),
        std::io::ErrorKind::PermissionDenied => {
            "permission denied; is this process in the group that owns the socket?".to_owned()
        }
        std::io::ErrorKind::ConnectionRefused => "connection refused; nobody listens there".to_owned(),
        _ => err.to_string(),
    }
}

fn innermost(err: &Error) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    text
}

/// Whether the answer could not be read.
pub(super) fn is_unreadable(err: &EngineError) -> bool {
    matches!(err, EngineError::Refused { message, .. } if message == UNREADABLE)
}

/// Whether it says that the thing is not there (any more).
pub(super) fn is_gone(err: &EngineError) -> bool {
    matches!(err, EngineError::Refused { status: 404, .. } | EngineError::NoSuchImage { .. })
}

/// Whether it says that the engine is removing the thing already.
pub(super) fn is_being_removed(err: &EngineError) -> bool {
    matches!(err, EngineError::Refused { status: 409 | 500, message, .. }
        if message.contains("is already in progress") || message.contains("is being removed"))
}

/// Whether it says that the container does not run.
pub(super) fn is_not_running(err: &EngineError) -> bool {
    matches!(err, EngineError::Refused { status: 304 | 409 | 500, message, .. }
        if message.contains("is not running") || message.contains("can only top running")
            || message.contains("is restarting") || message.contains("can only be executed on running"))
}

/// Whether it says that a network is not there, or there twice, at create or at start.
pub(super) fn lacks_network(err: &EngineError) -> bool {
    matches!(err, EngineError::Refused { status: 404 | 400 | 500, message, .. }
        if message.contains("network")
            && ["not found", "No such network", "is ambiguous"].iter().any(|words| message.contains(words)))
}

/// Whether it says that this storage cannot limit a container's disk.
pub(super) fn lacks_disk_limit(err: &EngineError) -> bool {
    matches!(err, EngineError::Refused { message, .. }
        if message.contains("storage-opt") || message.contains("storage-opts") || message.contains("pquota"))
}

/// Whether it says that the engine itself may not give a container all privileges.
pub(super) fn refuses_privileged(err: &EngineError) -> bool {
    matches!(err, EngineError::Refused { status: 400 | 500, message, .. }
        if message.contains("operation not permitted"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ErrorClass;

    fn server(status_code: u16, message: &str) -> EngineError {
        let err = Error::DockerResponseServerError { status_code, message: message.to_owned() };
        meaning("create a container", "unix:///x.sock", Duration::from_secs(10), err)
    }

    #[test]
    fn a_taken_name_is_told_from_other_conflicts() {
        let docker = server(
            409,
            "Conflict. The container name \"/ghrunner-build-0\" is already in use by container \"4f1\". You have to remove \
             (or rename) that container to be able to reuse that name.",
        );
        assert!(matches!(&docker, EngineError::NameTaken { name } if name == "ghrunner-build-0"), "{docker}");
        let podman = server(
            500,
            "creating container storage: the container name \"ghrunner-build-0\" is already in use by 4f1. You have to \
             remove that container to be able to reuse that name: that name is already in use",
        );
        assert!(matches!(&podman, EngineError::NameTaken { name } if name == "ghrunner-build-0"), "{podman}");
        let busy = server(
            409,
            "You cannot remove a running container 4f1. Stop the container before attempting removal",
        );
        assert!(matches!(busy, EngineError::Refused { status: 409, .. }));
        assert_eq!(busy.class(), ErrorClass::Retry);
    }

    #[test]
    fn a_missing_image_is_told_from_a_missing_container() {
        let err = server(404, "No such image: ghcr.io/x/y:z");
        assert!(matches!(&err, EngineError::NoSuchImage { image } if image == "ghcr.io/x/y:z"), "{err}");
        assert_eq!(err.class(), ErrorClass::Terminal);
        let podman = server(404, "failed to find image nope:1: nope:1: image not known");
        assert!(matches!(&podman, EngineError::NoSuchImage { image } if image == "nope:1"), "{podman}");
        let gone = server(404, "No such container: ghrunner-build-0");
        assert!(is_gone(&gone) && !is_being_removed(&gone));
    }

    #[test]
    fn removal_under_way_and_not_running_are_known() {
        assert!(is_being_removed(&server(409, "removal of container 4f1 is already in progress")));
        assert!(is_not_running(&server(409, "Container 4f1 is not running")));
        assert!(is_not_running(&server(500, "Container 4f1 is not running")));
        assert!(is_not_running(&server(
            409,
            "top can only be used on running containers: can only top running containers"
        )));
        assert!(!is_not_running(&server(500, "ps: not found")));
    }

    #[test]
    fn networks_disks_and_privileges_are_known() {
        assert!(lacks_network(&server(404, "network ghrunner-build not found")));
        assert!(lacks_network(&server(404, "No such network: ghrunner-build")));
        assert!(lacks_network(&server(400, "network ghrunner-x is ambiguous (2 matches found on name)")));
        assert!(!lacks_network(&server(404, "No such container: x")));
        assert!(lacks_disk_limit(&server(
            500,
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
        )));
        assert!(refuses_privileged(&server(
            400,
            "OCI runtime create failed: unable to apply caps: operation not permitted: unknown"
        )));
    }

    #[test]
    fn an_absent_socket_says_so() {
        let err = meaning(
            "list containers",
            "unix:///x.sock",
            Duration::from_secs(10),
            Error::SocketNotFoundError("/x.sock".to_owned()),
        );
        assert_eq!(
            err.to_string(),
            "cannot reach the engine at unix:///x.sock: no such file; is the engine installed and running?"
        );
        assert_eq!(err.class(), ErrorClass::Retry);
    }

    #[test]
    fn a_broken_answer_never_shows_its_text() {
        let err = meaning(
            "look into a container",
            "unix:///x.sock",
            Duration::from_secs(10),
            Error::JsonDataError { message: "ACTIONS_RUNNER_INPUT_JITCONFIG=secret".to_owned(), column: 1 },
        );
        assert!(!format!("{err} {err:?}").contains("secret"));
    }
}
