//! Values of metrics as text: OpenMetrics, and the older text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::MetricEncoder;
use prometheus_client::encoding::NoLabelSet;
use prometheus_client::encoding::text;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Registry;

use super::catalogue::CATALOGUE;
use super::catalogue::Kind;
use super::catalogue::Metric;
use crate::model::Histogram;
use crate::model::Time;

/// A value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Count(u64),
    Histogram(Histogram),
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Count(u64::from(value))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Count(u64::from(value))
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Count(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Count(value as u64)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<Time> for Value {
    /// Seconds since 1970, which a double holds to the millisecond.
    fn from(value: Time) -> Self {
        Self::Number(Duration::from_millis(value.0).as_secs_f64())
    }
}

impl From<Histogram> for Value {
    fn from(value: Histogram) -> Self {
        Self::Histogram(value)
    }
}

#[derive(Debug)]
struct Sample {
    labels: Vec<String>,
    value: Value,
}

/// What one scrape shows.
#[derive(Debug, Default)]
pub(super) struct Exposition(BTreeMap<&'static str, Vec<Sample>>);

impl Exposition {
    /// Adds a value with these labels' values, in the order of their names.
    pub(super) fn put(&mut self, metric: &Metric, labels: &[&str], value: impl Into<Value>) {
        debug_assert_eq!(metric.labels.len(), labels.len(), "{}", metric.name);
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        self.0.entry(metric.name).or_default().push(Sample { labels, value: value.into() });
    }

    /// The same, where there is a value.
    pub(super) fn put_some(&mut self, metric: &Metric, labels: &[&str], value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(metric, labels, value);
        }
    }

    /// As OpenMetrics wants it.
    pub(super) fn openmetrics(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(text)
    }

    /// As Prometheus wanted it before. There a counter's name has its `_total` in the lines about it, too, and there is no
    /// mark at the end.
    pub(super) fn prometheus(self) -> Result<String, fmt::Error> {
        let counters: BTreeMap<&str, &str> = CATALOGUE
            .iter()
            .filter(|metric| metric.kind == Kind::Counter)
            .filter_map(|metric| Some((metric.name.strip_suffix("_total")?, metric.name)))
            .collect();
        let open = self.openmetrics()?;
        let mut text = String::with_capacity(open.len() + 1024);
        for line in open.lines().filter(|line| *line != "# EOF") {
            let mut words = line.splitn(4, ' ');
            match (words.next(), words.next(), words.next(), words.next()) {
                (Some("#"), Some(what), Some(name), Some(rest)) => {
                    let name = counters.get(name).unwrap_or(&name);
                    text.extend(["# ", what, " ", name, " ", rest, "\n"]);
                }
                _ => text.extend([line, "\n"]),
            }
        }
        Ok(text)
    }

    fn family(&self, metric: &Metric, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (name, kind) = match metric.kind {
            Kind::Gauge => (metric.name, MetricType::Gauge),
            Kind::Counter => (metric.name.trim_end_matches("_total"), MetricType::Counter),
            Kind::Histogram => (metric.name, MetricType::Histogram),
        };
        let mut encoder = encoder.encode_descriptor(name, metric.help, None, kind)?;
        for sample in self.0.get(metric.name).into_iter().flatten() {
            let values = sample.labels.iter().map(String::as_str);
            let labels: Vec<(&str, &str)> = metric.labels.iter().copied().zip(values).collect();
            match labels.is_empty() {
                true => one(metric.kind, &sample.value, &mut encoder)?,
                false => one(metric.kind, &sample.value, &mut encoder.encode_family(&labels)?)?,
            }
        }
        Ok(())
    }
}

fn one(kind: Kind, value: &Value, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
    let none: Option<&Exemplar<NoLabelSet, f64>> = None;
    match (kind, value) {
        (Kind::Counter, Value::Count(count)) => encoder.encode_counter(count, none),
        (Kind::Counter, Value::Number(number)) => encoder.encode_counter(number, none),
        (_, Value::Count(count)) => encoder.encode_gauge(count),
        (_, Value::Number(number)) => encoder.encode_gauge(number),
        (_, Value::Histogram(h)) => {
            encoder.encode_histogram::<NoLabelSet>(h.sum(), h.count(), &h.buckets(), None)
        }
    }
}

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        CATALOGUE.iter().try_for_each(|metric| self.family(metric, &mut encoder))
    }
}
