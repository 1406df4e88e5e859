//! Over TCP: the page asks who looks, takes no wrong answer, keeps a good one for the tab, and offers what the role may do.

use ghrunner::http::ApiSettings;
use ghrunner::http::Bearers;
use ghrunner::http::Role;
use ghrunner::http::Transport;
use ghrunner::model::Secret;

use crate::browser::Browser;
use crate::fake::Fake;
use crate::look::pictures_named;

const READ: &str = "looks-and-does-nothing-else";
const OPERATE: &str = "steers-as-it-likes";
const ENTER: &str = "\u{E007}";
const ESCAPE: &str = "\u{E00C}";
const LIVE: &str = "document.querySelector('#connection').dataset.state === 'live'";

fn settings(operate: &str) -> ApiSettings {
    ApiSettings {
        bearers: Bearers::new([
            ("scripts".to_owned(), Role::Read, Secret::new(READ)),
            ("ops".to_owned(), Role::Operate, Secret::new(operate)),
        ]),
        origins: Vec::new(),
        transport: Transport::Plain,
    }
}

/// Types into the dialog that asks for a token.
fn answer(browser: &Browser, token: &str) {
    browser.until("it asks for a token", "document.querySelector('dialog[open] input[name=token]')");
    browser.click("dialog[open] input[name=token]");
    browser.keys(&format!("{token}{ENTER}"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; run by .ci/dashboard"]
async fn a_token_is_asked_for_refused_and_kept_until_the_tab_is_closed() {
    let fake = Fake::start(5);
    let (url, settings_of) = fake.over_tcp(settings(OPERATE));
    let looked = tokio::task::spawn_blocking(move || {
        let browser = Browser::open();
        browser.go(&url);
        browser.until("it asks", "document.querySelector('dialog[open]')");
        assert_eq!(browser.eval("document.querySelectorAll('.tile').length"), 0, "nothing is told before");
        assert_eq!(browser.eval("document.querySelector('dialog input').type"), "password");
        // It is no dialog that one gets around.
        for _ in 0..3 {
            browser.keys(ESCAPE);
            browser.until("it still asks", "document.querySelectorAll('dialog[open]').length === 1");
        }
        pictures_named(&browser, "token");
        browser.look(1440, "light");
        answer(&browser, "no-credential-of-ours");
        let said = "document.querySelector('dialog[open] .problem')?.textContent ?? ''";
        browser
            .until("it is refused in words", &format!("({said}).startsWith('That token was not taken: ')"));
        assert_eq!(browser.eval("sessionStorage.getItem('ghrunner-token')"), serde_json::Value::Null);
        answer(&browser, OPERATE);
        browser.until("the line stands", LIVE);
        browser.until("who looks", "document.querySelector('#who').textContent === 'credential ops'");
        browser.go(&url);
        browser.until("the line stands without asking again", LIVE);
        assert_eq!(browser.eval("document.querySelectorAll('dialog').length"), 0);
        assert_eq!(browser.eval("localStorage.getItem('ghrunner-token')"), serde_json::Value::Null);
        assert_eq!(browser.eval("document.cookie"), "");
        assert!(!browser.eval("location.href").as_str().unwrap().contains(OPERATE));
        // What was taken once is not taken for ever.
        settings_of.send_replace(std::sync::Arc::new(settings("another-one-by-now")));
        browser.go(&url);
        browser
            .until("it is refused in words", &format!("({said}).startsWith('That token was not taken: ')"));
        answer(&browser, "another-one-by-now");
        browser.until("the line stands", LIVE);
        crate::in_order_but_for(&browser, &url, &["401"]);
    });
    looked.await.unwrap();
    assert_eq!(fake.asked(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; run by .ci/dashboard"]
async fn who_may_look_sees_all_and_is_offered_nothing_that_changes_it() {
    let fake = Fake::start(5);
    let (url, _settings) = fake.over_tcp(settings(OPERATE));
    let looked = tokio::task::spawn_blocking(move || {
        let browser = Browser::open();
        browser.go(&url);
        answer(&browser, READ);
        browser.until("the line stands", LIVE);
        browser.until(
            "it says so",
            "document.querySelector('#who').textContent === 'credential scripts, may look'",
        );
        browser.until("the runners", "document.querySelectorAll('.tile').length >= 5");
        pictures_named(&browser, "read");
        browser.look(1440, "light");
        assert_eq!(browser.eval("document.querySelectorAll('.pool').length"), 4);
        assert_eq!(browser.eval("document.querySelectorAll('.pool button').length"), 0);
        browser.click(".tile");
        browser.until("the runner's dialog", "document.querySelector('dialog[open]')");
        let offered = browser
            .eval("[...document.querySelectorAll('dialog[open] button')].map((b) => b.textContent).join()");
        assert_eq!(offered, "Output…,Close");
        browser.keys(ESCAPE);
        // Not the page alone keeps it from them.
        let status = |path: &str| {
            browser.run(&format!(
                "fetch('api/v1/{path}', {{method: 'POST', headers: {{Authorization: 'Bearer {READ}'}}}}).then((answer) => done(answer.status))"
            ))
        };
        assert_eq!(status("pools/linux/drain"), 403);
        assert_eq!(status("drain"), 403);
        crate::in_order_but_for(&browser, &url, &["401", "403"]);
    });
    looked.await.unwrap();
    assert_eq!(fake.asked(), [""; 0], "nothing came as far as the control loop");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; run by .ci/dashboard"]
async fn a_boost_is_seen_and_ended() {
    let fake = Fake::start(5);
    let (url, _settings) = fake.over_tcp(settings(OPERATE));
    let looked = tokio::task::spawn_blocking(move || {
        let browser = Browser::open();
        browser.go(&url);
        answer(&browser, OPERATE);
        browser.until("the line stands", LIVE);
        browser.look(1440, "light");
        browser.until("the pool", "document.querySelector('[data-pool=gpu]')");
        browser.press("[data-pool=gpu]", "Boost…");
        browser.until("the question", "document.querySelector('dialog[open] form')");
        browser.press("dialog[open]", "Boost");
        let badge = "document.querySelector('[data-pool=gpu] .badge')?.textContent ?? ''";
        browser.until("the boost and its end", &format!("/^2 more until \\d\\d:\\d\\d$/.test({badge})"));
        browser.press("[data-pool=gpu]", "End boost");
        browser.until("no boost", &format!("({badge}) === ''"));
        crate::in_order_but_for(&browser, &url, &["401"]);
    });
    looked.await.unwrap();
    assert_eq!(fake.asked(), ["boost gpu 2", "lower gpu"]);
}
