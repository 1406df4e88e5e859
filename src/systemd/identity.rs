//! Which installation this is.

use std::fs;

use sha2::Digest;
use sha2::Sha256;

use crate::model::InstanceId;

/// Lower-case base 32 (RFC 4648's alphabet): digits and letters that names at GitHub and at the engine both take.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Five characters, 25 bits: two of a hundred hosts of one organization share them once in 7,000 fleets, and such an
/// admin can write `[host] name`.
const LENGTH: usize = 5;

/// The name that the file gives, else five characters of a digest of the machine's id.
///
/// machine-id(5) asks not to show the id itself, but something hashed from it.
pub fn instance(named: Option<&str>) -> InstanceId {
    match named {
        Some(name) => InstanceId::new(name),
        None => InstanceId::new(digest(&machine())),
    }
}

/// The machine's id, or its host name where it has none (a container's image often has none).
fn machine() -> String {
    let id = fs::read_to_string("/etc/machine-id").unwrap_or_default().trim().to_owned();
    if !id.is_empty() && id != "uninitialized" {
        return id;
    }
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn digest(machine: &str) -> String {
    let hash = Sha256::new().chain_update(b"ghrunner").chain_update(machine).finalize();
    let bits = u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]]);
    let letter = |i: usize| char::from(ALPHABET[usize::try_from(bits >> (59 - 5 * i) & 31).unwrap_or(0)]);
    (0..LENGTH).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_machine_is_the_same_instance() {
        let one = digest("4c4c4544004a4d10805ab6c04f563232");
        // The first 25 bits of `printf ghrunner4c4c… | sha256sum`, in base 32.
        assert_eq!(one.len(), 5);
        assert_eq!(one, digest("4c4c4544004a4d10805ab6c04f563232"));
        assert_ne!(one, digest("4c4c4544004a4d10805ab6c04f563233"));
        assert!(one.bytes().all(|b| ALPHABET.contains(&b)), "{one}");
    }

    #[test]
    fn the_file_may_name_it() {
        assert_eq!(instance(Some("rack1")).as_str(), "rack1");
        assert_eq!(instance(None), instance(None));
    }
}
