//! A signed delivery of a webhook: its first line is the event's name, the rest its body.
#![no_main]

use ghrunner::demand::Book;
use ghrunner::demand::parse_hook;
use ghrunner::model::Time;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let Ok(event) = str::from_utf8(&data[..end]) else { return };
    if let Ok(news) = parse_hook(event, &data[end + 1..]) {
        let now = Time::from_secs(1_800_000_000);
        let mut book = Book::default();
        book.hear(&news, now);
        let _ = book.heard(now);
        book.prune(now);
    }
});
