//! The dashboard in a real Chromium: before the real daemon with the simulator and a real engine, and before a made-up
//! fleet of any size.
//!
//! Needs `chromium` and `chromedriver` (Debian's `chromium` and `chromium-driver`), the source of axe-core in the file
//! that `GHRUNNER_AXE` names, root, and a container engine: `.ci/dashboard` sees to all of that. Pictures of the page are
//! left in `target/dashboard`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

#[allow(dead_code, reason = "these tests take a part of it")]
#[path = "../e2e/bench.rs"]
mod bench;
mod browser;
#[path = "../cli_fleet/mod.rs"]
mod cli_fleet;
mod door;
mod fake;
mod look;
mod past;
mod token;
mod watch;

use std::time::Duration;

use browser::Browser;

#[allow(clippy::disallowed_methods, reason = "the worker that this blocks has nothing else to do")]
fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// What must hold of each page after each test: it asked nobody but its own daemon, complained of nothing, and no text of
/// others became markup.
fn in_order(browser: &Browser, url: &str) {
    in_order_but_for(browser, url, &[]);
}

/// The same where complaints with one of these words are meant to be.
fn in_order_but_for(browser: &Browser, url: &str, meant: &[&str]) {
    let strangers = |asked: &String| !asked.starts_with(url) && !asked.starts_with("data:");
    let asked = browser.asked();
    assert!(!asked.is_empty(), "requests can be seen");
    let strangers: Vec<String> = asked.into_iter().filter(strangers).collect();
    assert!(strangers.is_empty(), "asked for {strangers:?}");
    let complaints: Vec<String> =
        browser.console().into_iter().filter(|line| !meant.iter().any(|word| line.contains(word))).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert_eq!(browser.eval("window.owned ?? null"), serde_json::Value::Null);
    assert_eq!(browser.eval("document.querySelectorAll('main img, main script, dialog img').length"), 0);
}
