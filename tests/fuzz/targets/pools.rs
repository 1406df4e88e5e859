//! `pools.toml`: whatever stands in it is told of with its place.
#![no_main]

use ghrunner::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let loaded = Config::from_text("pools.toml", text);
    assert_eq!(loaded.config.is_none(), loaded.report.errors() > 0);
    let _ = loaded.report.render(true);
});
