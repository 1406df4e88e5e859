//! A message of a scale set's queue.
#![no_main]

use ghrunner::github::parse_message;
use ghrunner::model::Time;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| drop(parse_message(data, Time::from_secs(1_800_000_000))));
