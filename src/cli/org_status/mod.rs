//! `ghrunner org-status`: organizations as GitHub has them, and what disagrees with the file.
//!
//! `collect` looks and judges nothing; `compare` is a pure function from what was seen to what is shown.

mod collect;
mod compare;
mod render;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::Config;
use crate::github::AccessList;
use crate::github::RunnerGroup;
use crate::http::dto;
use crate::model::InstanceId;
use crate::model::Mode;
use crate::model::Registration;
use crate::model::RunnerName;
use crate::model::Scope;

pub(super) use collect::collect;
pub(super) use compare::compare;
pub(super) use render::render;

/// Everything that was seen.
#[derive(Debug)]
pub(super) struct Seen {
    /// The file.
    pub(super) config: Config,
    /// Which installation's runners are ours.
    pub(super) instance: InstanceId,
    /// Where organization pools register, by the daemon, else by what it kept.
    pub(super) mode: Mode,
    /// The daemon's word on each runner of ours; none where it could not be asked.
    pub(super) phases: Option<BTreeMap<RunnerName, dto::Phase>>,
    /// Organization by organization.
    pub(super) orgs: Vec<OrgSeen>,
}

/// One organization.
#[derive(Debug)]
pub(super) struct OrgSeen {
    /// Its name.
    pub(super) org: String,
    /// Whose credentials were used.
    pub(super) credentials: String,
    /// Credentials of its other pools that see nothing of it, and why.
    pub(super) blind: Vec<(String, Trouble)>,
    /// Its groups, or why they cannot be seen.
    pub(super) groups: Result<Vec<GroupSeen>, Trouble>,
    /// In repository mode, the runners of the repositories at which its pools stand.
    pub(super) repositories: Vec<(Scope, Result<Vec<Registration>, Trouble>)>,
}

/// A runner group.
#[derive(Debug)]
pub(super) struct GroupSeen {
    /// As GitHub has it.
    pub(super) group: RunnerGroup,
    /// Which repositories it admits, where that was asked.
    pub(super) admitted: Option<Result<AccessList, Trouble>>,
}

/// Why something could not be seen, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Trouble {
    /// What happened.
    pub(super) found: String,
    /// What to do.
    pub(super) advice: String,
}

/// One organization as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct OrgReport {
    /// Its name.
    pub(super) org: String,
    /// Whose credentials were used.
    pub(super) credentials: String,
    /// Why its groups cannot be seen.
    pub(super) trouble: Option<Trouble>,
    /// Its runner groups and, in repository mode, the repositories at which its pools stand.
    pub(super) groups: Vec<GroupReport>,
    /// What disagrees with the file.
    pub(super) disagreements: Vec<Disagreement>,
}

/// A runner group, or a repository with runners of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct GroupReport {
    /// The group's name; none for a repository.
    pub(super) group: Option<String>,
    /// GitHub's number for the group.
    pub(super) id: Option<u64>,
    /// `orgs/acme` or `repos/acme/app`.
    pub(super) scope: String,
    /// Whether it is the organization's default group.
    pub(super) default: bool,
    /// `all`, `selected` or `private`.
    pub(super) visibility: Option<String>,
    /// Whether public repositories may use it.
    pub(super) public: bool,
    /// Repositories that may use it, where that was asked.
    pub(super) repositories: Option<Vec<String>>,
    /// The pools of the file that register here.
    pub(super) pools: Vec<String>,
    /// Its runners.
    pub(super) runners: Vec<RunnerReport>,
}

/// A runner at GitHub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct RunnerReport {
    /// Its name.
    pub(super) name: String,
    /// Whether it is online.
    pub(super) online: bool,
    /// Whether GitHub believes that it runs a job.
    pub(super) busy: bool,
    /// Its labels.
    pub(super) labels: Vec<String>,
    /// The pool that it was made for, if it is one of ours.
    pub(super) pool: Option<String>,
    /// What the daemon says of it.
    pub(super) phase: Option<dto::Phase>,
}

/// Something that is not as the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Disagreement {
    /// A stable word for programs.
    pub(super) kind: Kind,
    /// Whether it keeps jobs waiting or leaves runners behind; if not, it is legal and perhaps not wanted.
    pub(super) grave: bool,
    /// The pool, group or runner that it concerns.
    pub(super) about: String,
    /// What it is, and what to do.
    pub(super) text: String,
}

/// What may disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// The pool's runner group is not there.
    GroupMissing,
    /// The group does not admit a repository of the pool's `rollback` list.
    NotAdmitted,
    /// A runner has other labels than its pool.
    Labels,
    /// A runner of ours is offline.
    Offline,
    /// A runner of ours whose pool the file does not have.
    UnknownPool,
    /// A runner of ours is in another group than its pool.
    WrongGroup,
    /// A runner of ours stands where its pool does not register in this mode.
    Misplaced,
    /// Public repositories may use a pool's group.
    Public,
    /// Only certain workflows may use a pool's group.
    Workflows,
    /// Something could not be seen.
    Unseen,
}
