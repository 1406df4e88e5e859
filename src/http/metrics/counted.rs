//! What the other rooms counted and timed.

use std::collections::BTreeMap;

use super::Exposition;
use super::catalogue as of;
use super::catalogue::Metric;
use crate::model::Calls;
use crate::model::Histogram;
use crate::model::PoolReadings;
use crate::model::QUICK;
use crate::model::Readings;

pub(super) fn put(out: &mut Exposition, readings: &Readings) {
    out.put(&of::PASS_TIME, &[], readings.passes.clone());
    out.put(&of::PLAN_SIZE, &[], readings.plans.clone());
    for (action, count) in &readings.planned {
        out.put(&of::PLANNED, &[action], *count);
    }
    calls(out, (&of::ACTIONS, &of::ACTION_TIME), &readings.actions);
    calls(out, (&of::ENGINE_CALLS, &of::ENGINE_TIME), &readings.engine);
    calls(out, (&of::GITHUB_CALLS, &of::GITHUB_TIME), &readings.github);
    for (name, read) in &readings.pools {
        pool(out, name.as_str(), read);
    }
    requests(out, readings);
    if let Some(spans) = readings.telemetry {
        out.put(&of::SPANS, &["exported"], spans.exported);
        out.put(&of::SPANS, &["dropped"], spans.dropped);
        out.put(&of::SPANS_FAILING, &[], spans.failing);
    }
}

fn calls(out: &mut Exposition, (counts, times): (&Metric, &Metric), calls: &Calls) {
    for ((call, result), count) in &calls.counts {
        out.put(counts, &[&word(call), result], *count);
    }
    for (call, histogram) in &calls.times {
        out.put(times, &[&word(call)], histogram.clone());
    }
}

/// `create a container` as `create_container`: a label that needs no quoting where it is typed.
fn word(call: &str) -> String {
    let words = call.split([' ', '-']).filter(|word| !matches!(*word, "a" | "an" | "its"));
    words.collect::<Vec<_>>().join("_")
}

fn pool(out: &mut Exposition, name: &str, read: &PoolReadings) {
    out.put(&of::QUEUE_WAIT, &[name], read.queue_wait.clone());
    for (step, histogram) in &read.steps {
        out.put(&of::START_TIME, &[name, step.word()], histogram.clone());
    }
    out.put(&of::JOB_TIME, &[name], read.job_time.clone());
    out.put(&of::JOB_MEMORY, &[name], read.job_memory.clone());
    out.put(&of::JOB_CPU, &[name], read.job_cpu.clone());
    out.put(&of::JOBS_STARTED, &[name], read.started);
    out.put(&of::JOBS_COMPLETED, &[name], read.completed);
    out.put(&of::WITHOUT_JOB, &[name], read.without_job);
    for (reason, count) in &read.failures {
        out.put(&of::START_FAILURES, &[name, reason], *count);
    }
}

/// Requests by all that is known of them, and their times together: a histogram for each route would outweigh all else.
fn requests(out: &mut Exposition, readings: &Readings) {
    let mut all = Histogram::of(QUICK);
    let mut counts: BTreeMap<(&str, &str, u16), u64> = BTreeMap::new();
    for (request, histogram) in &readings.requests {
        all.add(histogram);
        *counts.entry((request.method, &request.route, request.status)).or_default() += histogram.count();
    }
    for ((method, route, status), count) in counts {
        out.put(&of::REQUESTS, &[method, route, &status.to_string()], count);
    }
    out.put(&of::REQUEST_TIME, &[], all);
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn calls_become_words() {
        assert_eq!(word("create a container"), "create_container");
        assert_eq!(word("tell its version"), "tell_version");
        assert_eq!(word("generate-jitconfig"), "generate_jitconfig");
    }
}
