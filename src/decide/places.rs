//! Where a pool's runners register, in either mode.

use crate::model::Mode;
use crate::model::Pool;
use crate::model::PoolScope;
use crate::model::Repo;
use crate::model::RepoPattern;
use crate::model::Scope;

/// The scopes in which the pool registers runners, in the order of the file.
///
/// In repository mode an organization pool stands once for each repository of its `rollback` list, or, where that
/// is empty, of `admitted`: the access list of its runner group. Patterns such as `alice/*` name no place by
/// themselves.
pub fn places(pool: &Pool, mode: Mode, admitted: Option<&[Repo]>) -> Vec<Scope> {
    match &pool.scope {
        PoolScope::Repositories(patterns) => patterns
            .iter()
            .filter_map(|pattern| match pattern {
                RepoPattern::One(repo) => Some(Scope::Repository(repo.clone())),
                RepoPattern::AllOf(_) => None,
            })
            .collect(),
        PoolScope::Enterprise { slug, .. } => vec![Scope::Enterprise(slug.clone())],
        PoolScope::Organization { org, .. } => match mode {
            Mode::Organization => vec![Scope::Organization(org.clone())],
            Mode::Repository if pool.rollback.is_empty() => {
                admitted.unwrap_or_default().iter().cloned().map(Scope::Repository).collect()
            }
            Mode::Repository => pool.rollback.iter().cloned().map(Scope::Repository).collect(),
        },
    }
}
