//! Typed names and numbers, so that none can stand where another is meant.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde::Serializer;

/// A name that breaks its rule; the message says which rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidName(pub String);

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidName {}

/// What all names have in common. Their text is shared: a name is cloned with whatever it stands in, again and again.
macro_rules! text {
    ($name:ident) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(text.as_ref().into())
            }
        }

        text!($name);
    };
}

text_id!(
    /// The engine's id of a container.
    ContainerId
);
text_id!(
    /// The name of a set of credentials; `[github]` itself is `default`.
    CredentialName
);
text_id!(
    /// A runner group's name, as an organization shows it.
    GroupName
);
text_id!(
    /// The engine's id (digest) of an image.
    ImageId
);
text_id!(
    /// Which installation of ghrunner made something: two hosts that serve one organization never touch each other's runners.
    InstanceId
);
text_id!(
    /// A runner's name at GitHub: its container's name, the instance and a nonce.
    RunnerName
);
text_id!(
    /// A digest of all that makes a runner what it is; another digest means another runner.
    SpecHash
);

impl CredentialName {
    /// The credentials that `[github]` holds.
    pub fn default_name() -> Self {
        Self::new("default")
    }
}

/// A pool's name: lower-case letters, digits and single dashes, 1 to 28 characters.
///
/// It becomes part of container names and of GitHub runner names, which hold 64 characters at most.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolName(Arc<str>);

text!(PoolName);

/// Leaves room in GitHub's 64 characters for prefix (9), slot (5), instance (6) and nonce (7), with some to spare.
const POOL_NAME_MAX: usize = 28;

impl PoolName {
    /// Checks the rule.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let fail = |why: &str| Err(InvalidName(format!("pool name {text:?} {why}")));
        if text.is_empty() || text.len() > POOL_NAME_MAX {
            return fail("must have 1 to 28 characters");
        }
        if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return fail("may hold only lower-case letters, digits and dashes");
        }
        if text.starts_with('-') || text.ends_with('-') || text.contains("--") {
            return fail("may not start or end with a dash, nor hold two in a row");
        }
        Ok(Self(text.into()))
    }

    /// The pool and slot that a runner's container name speaks of.
    pub fn of_container(name: &str) -> Option<(Self, Slot)> {
        let (pool, slot) = name.strip_prefix("ghrunner-")?.rsplit_once('-')?;
        Some((Self::parse(pool).ok()?, Slot(slot.parse().ok()?)))
    }

    /// The container that stands in a slot of this pool.
    pub fn container_name(&self, slot: Slot) -> String {
        format!("ghrunner-{}-{}", self.0, slot.0)
    }

    /// This pool's network.
    pub fn network_name(&self) -> String {
        format!("ghrunner-{}", self.0)
    }
}

/// A place in a pool, from 0; the engine refuses a second container of the same slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(pub u32);

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// GitHub's number for a registered runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunnerId(pub u64);

impl fmt::Display for RunnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl RunnerName {
    /// `ghrunner-<pool>-<slot>-<instance>-<nonce>`.
    pub fn compose(pool: &PoolName, slot: Slot, instance: &InstanceId, nonce: &str) -> Self {
        Self::new(format!("{}-{instance}-{nonce}", pool.container_name(slot)))
    }

    /// The pool and slot that this name speaks of, if this instance of ghrunner made it.
    ///
    /// Anything that does not fit exactly is somebody else's runner.
    pub fn made_by(&self, instance: &InstanceId) -> Option<(PoolName, Slot)> {
        let rest = self.0.strip_prefix("ghrunner-")?;
        let (rest, nonce) = rest.rsplit_once('-')?;
        let (rest, by) = rest.rsplit_once('-')?;
        let (pool, slot) = rest.rsplit_once('-')?;
        if nonce.is_empty() || by != instance.as_str() {
            return None;
        }
        Some((PoolName::parse(pool).ok()?, Slot(slot.parse().ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_name_tells_who_made_it() {
        let pool = PoolName::parse("build-arm").unwrap();
        let ours = InstanceId::new("k7x2p");
        let name = RunnerName::compose(&pool, Slot(3), &ours, "a1b2c3");
        assert_eq!(name.as_str(), "ghrunner-build-arm-3-k7x2p-a1b2c3");
        assert_eq!(name.made_by(&ours), Some((pool, Slot(3))));
        assert_eq!(name.made_by(&InstanceId::new("zzzzz")), None);
        assert_eq!(RunnerName::new("my-runner").made_by(&ours), None);
        assert_eq!(RunnerName::new("ghrunner-build-x-k7x2p-a1").made_by(&ours), None);
    }

    #[test]
    fn a_container_name_tells_its_slot() {
        let pool = PoolName::parse("build-2").unwrap();
        assert_eq!(PoolName::of_container(&pool.container_name(Slot(7))), Some((pool, Slot(7))));
        for other in
            ["postgres", "ghrunner-build", "ghrunner-build-x", "ghrunner--1", "ghrunner-build-2-docker"]
        {
            assert_eq!(PoolName::of_container(other), None, "{other}");
        }
    }

    #[test]
    fn pool_names_fit_container_and_runner_names() {
        for good in ["a", "build", "build-2", "0"] {
            assert!(PoolName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "Build", "a_b", "a.b", &"x".repeat(29)] {
            assert!(PoolName::parse(bad).is_err(), "{bad}");
        }
        let longest = PoolName::parse(&"x".repeat(28)).unwrap();
        let name = RunnerName::compose(&longest, Slot(9999), &InstanceId::new("k7x2p"), "a1b2c3");
        assert!(name.as_str().len() <= 64, "{}", name.as_str().len());
    }
}
