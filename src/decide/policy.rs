//! A configuration with what follows from it alone, worked out once rather than in every pass.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;

use crate::config::Config;
use crate::model::GroupName;
use crate::model::Pool;
use crate::model::PoolName;
use crate::model::RegistrationKind;
use crate::model::RunnerSpec;
use crate::model::SpecHash;

/// The configuration in force and the digest of each pool's runners.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The configuration.
    pub config: Arc<Config>,
    hashes: BTreeMap<PoolName, SpecHash>,
}

impl Policy {
    /// Works out the digests.
    pub fn new(config: Arc<Config>) -> Self {
        let hashes = config.pools.iter().map(|(name, pool)| (name.clone(), spec_hash(pool))).collect();
        Self { config, hashes }
    }

    /// The pool of that name and the digest of its runners.
    pub fn pool(&self, name: &PoolName) -> Option<(&Pool, &SpecHash)> {
        Some((self.config.pools.get(name)?, self.hashes.get(name)?))
    }
}

/// All that makes one runner of a pool differ from another one.
#[derive(Serialize)]
struct Essence<'a> {
    spec: &'a RunnerSpec,
    labels: &'a [String],
    group: Option<&'a GroupName>,
    registration: RegistrationKind,
}

fn spec_hash(pool: &Pool) -> SpecHash {
    let group = pool.scope.group();
    let essence = Essence { spec: &pool.spec, labels: &pool.labels, group, registration: pool.registration };
    // Plain data with text keys: serialization cannot fail, and an empty text would only mean "replace once".
    let text = serde_json::to_vec(&essence).unwrap_or_default();
    SpecHash::new(hex(&Sha256::digest(text)[..8]))
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
