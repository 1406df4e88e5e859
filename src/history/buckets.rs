//! Times, and sizes, counted in classes whose bounds grow by an eighth of an octave, so that percentiles of any number of
//! jobs can be added up from hours and days.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::model::history::Bar;
use crate::model::history::Quantiles;
use crate::model::history::Spread;

/// Classes in which a time doubles.
const PER_OCTAVE: f64 = 8.0;
/// Half of a class's width: by so much a percentile may be wrong.
pub(super) const ERROR: f64 = 0.0443;
/// A class that no time and no size can reach: ten thousand years are less, and so is a million gigabytes.
const LAST: u32 = 400;

/// Times by class.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Buckets(BTreeMap<u32, u64>);

impl Buckets {
    /// Counts a time.
    pub(super) fn count(&mut self, ms: u64) {
        *self.0.entry(class(ms)).or_default() += 1;
    }

    /// Adds the counts of another.
    pub(super) fn add(&mut self, other: &Self) {
        for (class, count) in &other.0 {
            *self.0.entry(*class).or_default() += count;
        }
    }

    /// As text: `12:3,15:1`.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (class, count) in &self.0 {
            let comma = if text.is_empty() { "" } else { "," };
            let _ = write!(text, "{comma}{class}:{count}");
        }
        text
    }

    /// Reads such a text. What makes no sense counts for nothing: it is a database's, and people can write there.
    pub(super) fn parse(text: &str) -> Self {
        let pair = |pair: &str| {
            let (class, count) = pair.split_once(':')?;
            Some((class.parse::<u32>().ok().filter(|class| *class <= LAST)?, count.parse::<u32>().ok()?))
        };
        let mut found = Self::default();
        for (class, count) in text.split(',').filter_map(pair) {
            *found.0.entry(class).or_default() += u64::from(count);
        }
        found
    }

    fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The time that this part of all does not exceed.
    pub(super) fn quantile(&self, part: f64) -> u64 {
        let total = self.total();
        let rank = ((total as f64 * part).ceil() as u64).clamp(1, total.max(1));
        let mut seen = 0;
        for (class, count) in &self.0 {
            seen += count;
            if seen >= rank {
                return middle(*class);
            }
        }
        0
    }

    /// How the times are spread; `sum` is what they come to together.
    pub(super) fn spread(&self, sum: u64) -> Spread {
        let count = self.total();
        Spread {
            count,
            mean_ms: sum.checked_div(count).unwrap_or(0),
            p50_ms: self.quantile(0.5),
            p95_ms: self.quantile(0.95),
            p99_ms: self.quantile(0.99),
        }
    }

    /// How sizes are spread.
    pub(super) fn quantiles(&self) -> Quantiles {
        Quantiles {
            count: self.total(),
            p50: self.quantile(0.5),
            p95: self.quantile(0.95),
            p99: self.quantile(0.99),
        }
    }

    /// The counts between bounds at which people think, from the first to the last that has any.
    pub(super) fn bars(&self) -> Vec<Bar> {
        const SECONDS: [u64; 14] = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600];
        let bounds = SECONDS.iter().map(|s| s * 1000).chain([u64::MAX]);
        let mut above = 0;
        let mut bars = Vec::new();
        for upto in bounds {
            let within = self.0.iter().filter(|(class, _)| (above..upto).contains(&middle(**class)));
            bars.push(Bar { above_ms: above, upto_ms: upto, count: within.map(|(_, count)| count).sum() });
            above = upto;
        }
        while bars.last().is_some_and(|bar| bar.count == 0) {
            bars.pop();
        }
        bars
    }
}

/// Less than a millisecond is class 0.
fn class(ms: u64) -> u32 {
    if ms == 0 { 0 } else { 1 + ((ms as f64).log2() * PER_OCTAVE).floor() as u32 }
}

/// The time in the middle of a class, as factors go.
fn middle(class: u32) -> u64 {
    if class == 0 { 0 } else { ((f64::from(class) - 0.5) / PER_OCTAVE).exp2().round() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_the_stated_error_of_the_true_ones() {
        let mut buckets = Buckets::default();
        let mut times: Vec<u64> = (0..5000u64).map(|n| 40 + n * n * 7919 % 3_000_017).collect();
        times.iter().for_each(|time| buckets.count(*time));
        times.sort_unstable();
        for part in [0.5, 0.95, 0.99] {
            let exact = times[(times.len() as f64 * part).ceil() as usize - 1] as f64;
            let told = buckets.quantile(part) as f64;
            assert!((told / exact - 1.0).abs() <= ERROR + 0.001, "{part}: {told} for {exact}");
        }
    }

    #[test]
    fn counts_survive_their_text_and_add_up() {
        let mut one = Buckets::default();
        [0, 1, 5, 5, 900, 86_400_000].iter().for_each(|ms| one.count(*ms));
        assert_eq!(Buckets::parse(&one.text()), one);
        let mut both = one.clone();
        both.add(&one);
        assert_eq!(both.total(), 12);
        assert_eq!(Buckets::parse("x:1,5,7:y,99999:1,,3:2").text(), "3:2");
        assert_eq!(Buckets::default().spread(0), Spread::default());
    }

    #[test]
    fn bars_end_with_the_last_that_has_any() {
        let mut buckets = Buckets::default();
        [400, 1500, 1600].iter().for_each(|ms| buckets.count(*ms));
        let counts: Vec<u64> = buckets.bars().iter().map(|bar| bar.count).collect();
        assert_eq!(counts, [1, 2]);
    }
}
