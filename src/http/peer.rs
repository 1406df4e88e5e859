//! Who is at the other end of the socket, and which groups they are of.

use axum::http::StatusCode;
use nix::unistd::Gid;
use nix::unistd::Group;
use nix::unistd::Uid;
use nix::unistd::User;
use nix::unistd::getgrouplist;
use tokio::net::UnixStream;

use super::Problem;
use super::Role;

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

/// The number of a group of this host, by its name; none where there is no such group.
pub fn group(name: &str) -> Option<u32> {
    Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
}

/// Who may operate: root, the daemon's own user, and members of one group. Members of another one may look.
///
/// The socket's mode says the same; this holds even where somebody changed the mode, or passed the socket on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operators {
    /// The daemon's own user.
    pub uid: u32,
    /// The socket's group.
    pub gid: u32,
    /// The group whose members may look and not steer, if there is one.
    pub readers: Option<u32>,
}

impl Operators {
    /// What this process may do; nothing where it is none of those.
    pub fn role(&self, peer: &Peer) -> Option<Role> {
        let uid = peer.uid?;
        if uid == 0 || uid == self.uid {
            return Some(Role::Operate);
        }
        // Asked for once: it is the account database that answers, which may be another machine's.
        let listed = groups(uid);
        let is_of = |gid: u32| peer.gid == Some(gid) || listed.contains(&Gid::from_raw(gid));
        match self.readers {
            _ if is_of(self.gid) => Some(Role::Operate),
            Some(readers) if is_of(readers) => Some(Role::Read),
            _ => None,
        }
    }

    /// What a process is told that may look, and wanted to steer.
    pub(super) fn only_looks(&self, peer: &Peer) -> Problem {
        let (who, group) = (peer.name(), self.group());
        let detail =
            format!("{who} may look and not steer: that takes root or a member of the group {group}");
        Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// The operators' group: its name, else its number.
    fn group(&self) -> String {
        let group = Group::from_gid(Gid::from_raw(self.gid)).ok().flatten();
        group.map_or_else(|| self.gid.to_string(), |g| g.name)
    }

    /// What a refused process is told.
    pub(super) fn refusal(&self, peer: &Peer) -> Problem {
        let group = self.group();
        let who = peer.uid.map_or_else(|| "an unknown user".to_owned(), |uid| format!("user {uid}"));
        Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            format!("{who} may not operate ghrunner: only root and members of the group {group} may"),
        )
    }
}

/// The groups that the user's account lists.
///
/// `SO_PEERCRED` tells only the primary group of the process. What the account database says is the rule that the admin
/// wrote down; it also admits a session that began before the user was added.
fn groups(uid: u32) -> Vec<Gid> {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else { return Vec::new() };
    let Ok(name) = std::ffi::CString::new(user.name) else { return Vec::new() };
    getgrouplist(&name, user.gid).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(uid: u32, gid: u32) -> Peer {
        Peer { uid: Some(uid), gid: Some(gid), pid: Some(1) }
    }

    #[test]
    fn only_root_the_daemon_and_its_group_may_operate() {
        let operators = Operators { uid: 61_000, gid: 61_001, readers: Some(61_002) };
        assert_eq!(operators.role(&peer(0, 0)), Some(Role::Operate));
        assert_eq!(operators.role(&peer(61_000, 7)), Some(Role::Operate));
        assert_eq!(operators.role(&peer(61_005, 61_001)), Some(Role::Operate));
        assert_eq!(operators.role(&peer(61_005, 61_002)), Some(Role::Read));
        assert_eq!(operators.role(&peer(61_005, 61_006)), None);
        assert_eq!(operators.role(&Peer::UNKNOWN), None);
        let alone = Operators { readers: None, ..operators };
        assert_eq!(alone.role(&peer(61_005, 61_002)), None);
    }

    /// An account of this host that is not root's and a group that it has beside its primary one, if there is such.
    fn somebody() -> Option<(u32, u32, u32)> {
        let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
        accounts.lines().find_map(|line| {
            let user = User::from_name(line.split(':').next()?).ok()??;
            let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
            let further = groups(uid).into_iter().map(Gid::as_raw).find(|further| *further != gid)?;
            (uid != 0).then_some((uid, gid, further))
        })
    }

    #[test]
    fn membership_by_the_account_counts() {
        // On every Linux system root's account lists group 0, whatever group a session of it has now.
        assert!(groups(0).contains(&Gid::from_raw(0)));
        assert_eq!(groups(61_005), []);
        let Some((uid, primary, further)) = somebody() else { return };
        let operators = Operators { uid: 61_000, gid: 61_001, readers: Some(further) };
        assert_eq!(operators.role(&peer(uid, primary)), Some(Role::Read), "user {uid} is of {further}");
        let operators = Operators { gid: further, readers: Some(primary), ..operators };
        assert_eq!(
            operators.role(&peer(uid, primary)),
            Some(Role::Operate),
            "of both groups the higher one counts"
        );
    }

    #[test]
    fn a_refusal_names_the_group() {
        let problem = Operators { uid: 1, gid: 0, readers: None }.refusal(&peer(61_005, 1));
        assert_eq!(problem.status, 403);
        assert!(problem.detail.contains("user 61005 may not operate ghrunner"), "{}", problem.detail);
        assert!(problem.detail.contains("group root"), "{}", problem.detail);
    }
}
