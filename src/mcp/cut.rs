//! Lists and texts of a length that an agent can bear.

use schemars::JsonSchema;
use serde::Deserialize;

use super::trouble::Trouble;

/// How many items a page has where nobody says.
const USUAL: usize = 25;

/// The most that a page has.
const MOST: usize = 100;

/// The most characters of a text that is somebody else's: a job's name may be as long as GitHub lets it.
const TEXT: usize = 300;

/// The most items of a list within an item.
const FEW: usize = 20;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// How many at most: 25 unless said otherwise.
    #[schemars(range(min = 1, max = 100))]
    pub(super) limit: Option<usize>,
    /// Where to go on: `next` of the answer before.
    pub(super) after: Option<String>,
}

impl Part {
    /// The number of items that are wanted.
    ///
    /// # Errors
    /// None, or more than a page may have.
    pub(super) fn size(&self) -> Result<usize, Trouble> {
        match self.limit.unwrap_or(USUAL) {
            limit @ 1..=MOST => Ok(limit),
            limit => Err(Trouble::bad_call(format!("limit is {limit}, and must be from 1 to {MOST}"))),
        }
    }

    /// The part of `all` that is wanted, and where it goes on. `key` tells one item from all others; a part begins behind
    /// the last item of the one before, or where that one was if it is gone.
    ///
    /// # Errors
    /// A place or a size that makes no sense.
    pub(super) fn of<T>(
        &self,
        mut all: Vec<T>,
        key: impl Fn(&T) -> String,
    ) -> Result<(Vec<T>, Option<String>), Trouble> {
        let size = self.size()?;
        let start = match &self.after {
            None => 0,
            Some(after) => {
                let place =
                    after.split_once('~').and_then(|(at, key)| Some((at.parse::<usize>().ok()?, key)));
                let (at, last) = place.ok_or_else(|| {
                    Trouble::bad_call(
                        "after is no place in this list: give `next` of the answer before, as it is",
                    )
                })?;
                all.iter().position(|item| key(item) == last).map_or(at, |found| found + 1)
            }
        };
        let mut part = all.split_off(start.min(all.len()));
        let more = part.len() > size;
        part.truncate(size);
        let next = part.last().filter(|_| more).map(|last| format!("{}~{}", start + size, key(last)));
        Ok((part, next))
    }
}

/// As much of a text as is shown.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(TEXT) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// As many of some texts as are shown, and how many there are beside them.
pub(super) fn few<T: AsRef<str>>(texts: &[T]) -> Vec<String> {
    let mut shown: Vec<String> = texts.iter().take(FEW).map(|text| short(text.as_ref())).collect();
    if texts.len() > FEW {
        shown.push(format!("… and {} more", texts.len() - FEW));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all: &[&str], limit: usize, after: Option<String>) -> (Vec<String>, Option<String>) {
        let all = all.iter().map(ToString::to_string).collect();
        Part { limit: Some(limit), after }.of(all, String::clone).unwrap()
    }

    #[test]
    fn parts_lead_from_one_to_the_next_until_there_is_no_more() {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (items, next) = of(&["a", "b", "c", "d", "e"], 2, after);
            seen.extend(items);
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["a", "b", "c", "d", "e"]);
        assert_eq!(of(&["a", "b"], 2, None).1, None);
    }

    #[test]
    fn what_comes_and_goes_between_two_parts_neither_repeats_nor_hides_the_others() {
        let after = of(&["a", "b", "c", "d"], 2, None).1;
        assert_eq!(of(&["b", "c", "d"], 2, after.clone()).0, ["c", "d"], "an earlier one went");
        assert_eq!(of(&["a", "x", "c", "d"], 2, after.clone()).0, ["c", "d"], "the last one itself went");
        assert_eq!(of(&["a"], 2, after).0, [""; 0], "all went");
    }

    #[test]
    fn nonsense_is_refused() {
        for (limit, after) in [(Some(0), None), (Some(101), None), (None, Some("x")), (None, Some("-1~x"))] {
            let part = Part { limit, after: after.map(str::to_owned) };
            assert!(part.of(vec!["a".to_owned()], String::clone).is_err(), "{part:?}");
        }
    }

    #[test]
    fn long_texts_and_lists_are_cut_between_characters() {
        assert_eq!(short("short"), "short");
        assert_eq!(short(&"ü".repeat(400)).chars().count(), TEXT + 1);
        assert_eq!(few(&["a"; 22]).last().unwrap(), "… and 2 more");
    }
}
