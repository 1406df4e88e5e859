//! The known name nearest to one that is not known.

/// The nearest of `known`, if one is near enough to be what was meant.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    // A third of the letters: two typos in a usual key, none in a word of two letters.
    let limit = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_is_near_enough() {
        let known = ["max", "min", "memory", "idle_timeout"];
        assert_eq!(nearest("memry", known), Some("memory"));
        assert_eq!(nearest("idle-timeout", known), Some("idle_timeout"));
        assert_eq!(nearest("banana", known), None);
    }
}
