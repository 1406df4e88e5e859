//! A made-up fleet: how the page looks, reads and is operated, with few runners and with many.

use std::path::PathBuf;
use std::time::Duration;

use ghrunner::control::Clock;

use crate::browser::Browser;
use crate::door::Door;
use crate::fake;
use crate::fake::Fake;
use crate::fake::MARKUP;

const TAB: &str = "\u{E004}";
const ENTER: &str = "\u{E007}";
const ESCAPE: &str = "\u{E00C}";
const LEFT: &str = "\u{E012}";
const RIGHT: &str = "\u{E014}";

pub(crate) fn pictures() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("dashboard");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

async fn opened(runners: u32, look: impl FnOnce(&Browser, &str) + Send + 'static) -> Fake {
    let fake = Fake::start(runners);
    let door = Door::to(&fake.socket).await;
    let url = door.url();
    let looked = tokio::task::spawn_blocking(move || {
        let browser = Browser::open();
        browser.go(&url);
        browser.until("the line stands", "document.querySelector('#connection').dataset.state === 'live'");
        look(&browser, &url);
    });
    looked.await.unwrap();
    fake
}

fn pictures_of(browser: &Browser, runners: u32) {
    browser.until("the runners", &format!("document.querySelectorAll('.tile').length >= {runners}"));
    pictures_named(browser, &runners.to_string());
}

/// Pictures of both widths and themes; in each the page fits and has no barrier for anybody.
pub(crate) fn pictures_named(browser: &Browser, name: &str) {
    let axe = std::env::var("GHRUNNER_AXE").expect("GHRUNNER_AXE names the file axe.min.js");
    let axe = std::fs::read_to_string(axe).unwrap();
    for (width, theme) in [(1440, "light"), (1440, "dark"), (360, "dark"), (360, "light")] {
        browser.look(width, theme);
        browser.eval("scrollTo(0, 0)");
        browser.shoot(&pictures().join(format!("{name}-{width}-{theme}.png")));
        let across = browser.eval("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(across <= u64::from(width), "{across} is wider than {width}");
        assert_eq!(browser.barriers(&axe), Vec::<String>::new(), "{width} {theme}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; run by .ci/dashboard"]
async fn a_small_fleet_is_read_by_everybody_and_names_of_others_stay_text() {
    opened(5, |browser, url| {
        pictures_of(browser, 5);
        let shown = browser.eval("document.body.textContent").as_str().unwrap().to_owned();
        assert!(shown.contains(MARKUP), "names of others are shown as they are");
        // The plots show the past, and can be read.
        assert!(browser.eval("document.querySelectorAll('.plot path').length").as_u64() > Some(4));
        let table = browser.eval("document.querySelector('.table-of').open = true, new Promise((go) => setTimeout(() => go(document.querySelectorAll('#plot-table tbody tr').length), 500))");
        assert_eq!(table, 12);
        crate::in_order(browser, url);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; run by .ci/dashboard"]
async fn a_large_fleet_is_as_legible_and_as_quick() {
    let fake = opened(500, |browser, url| {
        pictures_of(browser, 500);
        browser.look(1440, "light");
        // All of it is drawn anew within a quarter of a second, of which a common machine needs a tenth.
        let draw = "[1, 2, 3, 4, 5].map(() => { const begun = performance.now(); \
             document.querySelector('#runner-find').dispatchEvent(new Event('input')); return performance.now() - begun; }).sort((a, b) => a - b)[2]";
        let took = browser.eval(draw).as_f64().unwrap();
        assert!(took < 250.0, "{took} ms");
        browser.eval("document.querySelector('#runner-find').value = 'linux-3', document.querySelector('#runner-find').dispatchEvent(new Event('input'))");
        browser.until("the list is narrowed down", "document.querySelectorAll('.tile').length < 40");
        crate::in_order(browser, url);
    })
    .await;
    drop(fake);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; run by .ci/dashboard"]
async fn everything_can_be_done_by_keyboard() {
    let fake = opened(20, |browser, url| {
        browser.look(1440, "dark");
        browser.keys(TAB);
        assert_eq!(browser.eval("document.activeElement.className"), "skip");
        browser.keys(ENTER);
        browser.until("the main part has the focus", "document.activeElement.id === 'main'");
        let value = |of: &str| browser.eval(&format!("document.querySelector('.plot svg').getAttribute('{of}')"));
        browser.eval("document.querySelector('.plot svg').focus()");
        let last = value("aria-valuenow");
        browser.keys(&LEFT.repeat(3));
        assert_ne!(value("aria-valuenow"), last);
        assert!(value("aria-valuetext").as_str().unwrap().contains("waiting"));
        // One stop for each pool's runners; arrows go on from there.
        assert_eq!(browser.eval("document.querySelectorAll('.tile[tabindex=\"0\"]').length === document.querySelectorAll('.group').length"), true);
        browser.eval("document.querySelector('.tile').focus()");
        let first = browser.eval("document.activeElement.dataset.runner");
        browser.keys(RIGHT);
        assert_ne!(browser.eval("document.activeElement.dataset.runner"), first);
        browser.keys(ENTER);
        browser.until("the runner's dialog", "document.querySelector('dialog[open]')");
        let shown = browser.eval("document.querySelector('dialog[open]').innerText").as_str().unwrap().to_owned();
        assert!(shown.contains("At GitHub") && shown.contains(", slot ") && !shown.contains("[object"), "{shown}");
        for _ in 0..6 {
            browser.keys(TAB);
            let within = browser.eval("document.activeElement === document.body || document.querySelector('dialog').contains(document.activeElement)");
            assert_eq!(within, true, "the focus stays within the dialog");
        }
        browser.press("dialog[open]", "Output…");
        browser.until("the output as text", "document.querySelector('.log')?.textContent.includes('<img src=x') && !document.querySelector('.log').textContent.includes('\\u001b')");
        browser.keys(ESCAPE);
        browser.until("no dialog", "!document.querySelector('dialog')");
        browser.click(".tile[data-phase=busy]");
        browser.press("dialog[open]", "Stop now…");
        browser.until("what it kills", "document.querySelector('dialog[open]')?.textContent.includes('is killed')");
        browser.press("dialog[open]", "Kill the job and stop");
        browser.until("it is told", "document.querySelector('#toast').textContent.includes('is being stopped, busy or not')");
        crate::in_order(browser, url);
    })
    .await;
    drop(fake);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; run by .ci/dashboard"]
async fn a_lost_connection_is_told_and_mended() {
    let fake = Fake::start(8);
    let mut door = Door::to(&fake.socket).await;
    let url = door.url();
    let browser = tokio::task::spawn_blocking(Browser::open).await.unwrap();
    browser.go(&url);
    browser.until("the line stands", "document.querySelector('#connection').dataset.state === 'live'");
    door.shut();
    browser.until(
        "the loss is told",
        "document.querySelector('#lost').textContent.includes('Connection lost since')",
    );
    // What changes meanwhile is known afterwards.
    fake.change(|s| *s = fake::snapshot(3, 1, Clock::system().now()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    door.open_again().await;
    browser.until("it is back", "document.querySelector('#connection').dataset.state === 'live' && document.querySelector('#lost').hidden");
    browser.until("what changed is shown", "document.querySelectorAll('.tile').length === 4");
    crate::in_order_but_for(
        &browser,
        &url,
        &[
            "ERR_CONNECTION_REFUSED",
            "ERR_INCOMPLETE_CHUNKED_ENCODING",
            "ERR_CONNECTION_RESET",
            "ERR_EMPTY_RESPONSE",
        ],
    );
}
