//! Who is at the other end of the socket, and whether they may steer the fleet.

use axum::http::StatusCode;
use nix::unistd::Gid;
use nix::unistd::Group;
use nix::unistd::Uid;
use nix::unistd::User;
use nix::unistd::getgrouplist;
use tokio::net::UnixStream;

use super::Problem;

/// The process that connected, as the kernel recorded it then (`SO_PEERCRED`, unix(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its user; none if the kernel would not say.
    pub uid: Option<u32>,
    /// Its primary group.
    pub gid: Option<u32>,
    /// Its process.
    pub pid: Option<i32>,
}

impl Peer {
    /// Of whom the kernel says nothing.
    pub(super) const UNKNOWN: Self = Self { uid: None, gid: None, pid: None };

    /// Who is at the other end.
    pub(super) fn of(stream: &UnixStream) -> Self {
        let cred = stream.peer_cred().ok();
        Self { uid: cred.map(|c| c.uid()), gid: cred.map(|c| c.gid()), pid: cred.and_then(|c| c.pid()) }
    }

    /// The name that a record has: the account's, else its number.
    pub(super) fn name(&self) -> String {
        let Some(uid) = self.uid else { return "an unknown user".to_owned() };
        match User::from_uid(Uid::from_raw(uid)) {
            Ok(Some(user)) => format!("user {}", user.name),
            _ => format!("user {uid}"),
        }
    }
}

/// Who may operate: root, the daemon's own user, and members of one group.
///
/// The socket's mode says the same; this holds even where somebody changed the mode, or passed the socket on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operators {
    /// The daemon's own user.
    pub uid: u32,
    /// The socket's group.
    pub gid: u32,
}

impl Operators {
    /// Whether this process may.
    pub fn admit(&self, peer: &Peer) -> bool {
        let Some(uid) = peer.uid else { return false };
        uid == 0 || uid == self.uid || peer.gid == Some(self.gid) || self.is_member(uid)
    }

    /// Whether the user's account lists the group among its own.
    ///
    /// `SO_PEERCRED` tells only the primary group. What the account database says is the rule that the admin wrote
    /// down; it also admits a session that began before the user was added.
    fn is_member(&self, uid: u32) -> bool {
        let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else { return false };
        let Ok(name) = std::ffi::CString::new(user.name) else { return false };
        getgrouplist(&name, user.gid).is_ok_and(|groups| groups.contains(&Gid::from_raw(self.gid)))
    }

    /// What a refused process is told.
    pub(super) fn refusal(&self, peer: &Peer) -> Problem {
        let group = Group::from_gid(Gid::from_raw(self.gid)).ok().flatten();
        let group = group.map_or_else(|| self.gid.to_string(), |g| g.name);
        let who = peer.uid.map_or_else(|| "an unknown user".to_owned(), |uid| format!("user {uid}"));
        Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            format!("{who} may not operate ghrunner: only root and members of the group {group} may"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(uid: u32, gid: u32) -> Peer {
        Peer { uid: Some(uid), gid: Some(gid), pid: Some(1) }
    }

    #[test]
    fn only_root_the_daemon_and_its_group_may_operate() {
        let operators = Operators { uid: 61_000, gid: 61_001 };
        assert!(operators.admit(&peer(0, 0)));
        assert!(operators.admit(&peer(61_000, 7)));
        assert!(operators.admit(&peer(61_005, 61_001)));
        assert!(!operators.admit(&peer(61_005, 61_006)));
        assert!(!operators.admit(&Peer { uid: None, gid: None, pid: None }));
    }

    #[test]
    fn membership_by_the_account_counts() {
        // On every Linux system root's account lists group 0, whatever group a session of it has now.
        let operators = Operators { uid: 61_000, gid: 0 };
        assert!(operators.is_member(0));
        assert!(!operators.is_member(61_005));
    }

    #[test]
    fn a_refusal_names_the_group() {
        let problem = Operators { uid: 1, gid: 0 }.refusal(&peer(61_005, 1));
        assert_eq!(problem.status, 403);
        assert!(problem.detail.contains("user 61005 may not operate ghrunner"), "{}", problem.detail);
        assert!(problem.detail.contains("group root"), "{}", problem.detail);
    }
}
