//! Scale sets: found, made, relabelled, deleted.

use http::Method;

use super::super::GitHubError;
use super::super::Set;
use super::super::SetError;
use super::super::SetSpec;
use super::super::credential::Credential;
use super::exchange::Ask;
use super::refusal::Missing;
use super::wire;
use super::wire::WireSet;
use crate::model::GroupName;
use crate::model::Scope;
use crate::model::SetId;
use crate::model::percent::encode;

/// Where sets are.
pub(super) const SETS: &str = "_apis/runtime/runnerscalesets";
/// The default group's number: the service's own clients take it as given, and a repository has no other.
const DEFAULT_GROUP: i64 = 1;

impl Credential {
    /// Finds the set or makes it, and mends its labels.
    pub(super) async fn ensure_set(&self, scope: &Scope, spec: &SetSpec) -> Result<Set, SetError> {
        let group = self.set_group(scope, spec.group.as_ref()).await?;
        if let Some(found) = self.set_named(scope, &spec.name, group).await? {
            return self.relabel(scope, spec, found).await;
        }
        match self.create_set(scope, spec, group).await {
            Ok(made) => {
                let refused_labels = lacking(spec, &made);
                tracing::info!(%scope, name = spec.name, id = made.id.0, "A runner scale set is made");
                Ok(Set { id: made.id, refused_labels })
            }
            // Somebody else made it in the meantime, or an answer to an earlier attempt was lost.
            Err(error @ SetError::GitHub(GitHubError::Refused { .. })) => {
                match self.set_named(scope, &spec.name, group).await? {
                    Some(found) => self.relabel(scope, spec, found).await,
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Looks for a set by its name. A group that is not there has none.
    pub(super) async fn find_set(
        &self,
        scope: &Scope,
        name: &str,
        group: Option<&GroupName>,
    ) -> Result<Option<SetId>, SetError> {
        match self.set_group(scope, group).await {
            Ok(group) => Ok(self.set_named(scope, name, group).await?.map(|found| found.id)),
            Err(SetError::GitHub(GitHubError::NotFound { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The number of the set's group.
    async fn set_group(&self, scope: &Scope, group: Option<&GroupName>) -> Result<i64, SetError> {
        let (Some(group), false) = (group, matches!(scope, Scope::Repository(_))) else {
            return Ok(DEFAULT_GROUP);
        };
        let ask = Ask::new(
            Method::GET,
            format!("_apis/runtime/runnergroups/?groupName={}", encode(group.as_str())),
            format!("find runner group {:?} of {scope}", group.as_str()),
            Missing::Else,
        );
        let answer = self.ask(scope, &ask).await?;
        let found = wire::group(&ask.read(&answer)?, group.as_str()).map_err(|why| ask.malformed(why))?;
        let what = || format!("runner group {:?} in {scope}", group.as_str());
        let missing = || GitHubError::NotFound { credential: self.name(), what: what(), needs: None };
        Ok(found.ok_or_else(missing)?)
    }

    async fn set_named(&self, scope: &Scope, name: &str, group: i64) -> Result<Option<WireSet>, SetError> {
        let ask = Ask::new(
            Method::GET,
            format!("{SETS}?runnerGroupId={group}&name={}", encode(name)),
            format!("find scale set {name:?} of {scope}"),
            Missing::Else,
        );
        let answer = self.ask(scope, &ask).await?;
        wire::only_set(&ask.read(&answer)?).map_err(|why| ask.malformed(why).into())
    }

    async fn create_set(&self, scope: &Scope, spec: &SetSpec, group: i64) -> Result<WireSet, SetError> {
        let label = format!("make scale set {:?} in {scope}", spec.name);
        let ask = Ask::new(Method::POST, SETS.to_owned(), label, Missing::Else);
        let ask = ask.with(wire::new_set(spec, group));
        let answer = self.ask(scope, &ask).await?;
        wire::set(&ask.read(&answer)?).map_err(|why| ask.malformed(why).into())
    }

    /// Gives a set that stands the labels that it should have. Some servers never change labels: what they keep is told,
    /// and no error.
    async fn relabel(&self, scope: &Scope, spec: &SetSpec, found: WireSet) -> Result<Set, SetError> {
        let id = found.id;
        if lacking(spec, &found).is_empty() && found.labels.len() == wire::labels(spec).len() {
            return Ok(Set { id, refused_labels: Vec::new() });
        }
        let label = format!("change the labels of scale set {:?} in {scope}", spec.name);
        let ask = Ask::new(Method::PATCH, format!("{SETS}/{}", id.0), label, Missing::Set);
        let ask = ask.of_set(id).with(wire::new_labels(spec));
        let changed = match self.ask(scope, &ask).await {
            Ok(answer) => wire::set(&ask.read(&answer)?).map_err(|why| ask.malformed(why))?,
            Err(SetError::GitHub(GitHubError::Refused { message, .. })) => {
                tracing::debug!(%scope, name = spec.name, message, "the scale set's labels stay as they are");
                found
            }
            Err(error) => return Err(error),
        };
        Ok(Set { id, refused_labels: lacking(spec, &changed) })
    }

    /// Deletes a set; one that is gone is no error.
    pub(super) async fn delete_set(&self, scope: &Scope, set: SetId) -> Result<(), SetError> {
        let label = format!("delete scale set {} of {scope}", set.0);
        let ask = Ask::new(Method::DELETE, format!("{SETS}/{}", set.0), label, Missing::Set).of_set(set);
        match self.ask(scope, &ask).await {
            Ok(_) | Err(SetError::SetGone) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The wanted labels that a set does not have.
fn lacking(spec: &SetSpec, set: &WireSet) -> Vec<String> {
    let has = |label: &String| set.labels.iter().any(|l| l.eq_ignore_ascii_case(label));
    wire::labels(spec).into_iter().filter(|label| !has(label)).collect()
}
