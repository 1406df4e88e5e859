//! A headless Chromium, driven by the WebDriver protocol over plain HTTP.

use std::net::TcpListener;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

/// How long the page may take to show something, on a machine with much to do.
const SOON: Duration = Duration::from_secs(40);

/// How long a script in the page may take: a look for barriers among hundreds of tiles takes its time where others want the
/// processor, too.
const SCRIPT: Duration = Duration::from_secs(150);

/// A browser with one window; both end when this is dropped.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub(crate) fn open() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = Command::new("chromedriver")
            .args([&format!("--port={port}"), "--silent"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is there (Debian: chromium-driver)");
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let config = config.timeout_global(Some(SCRIPT + SOON)).build();
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self { driver, session: String::new(), agent: config.into(), _profile: profile };
        let base = format!("http://127.0.0.1:{port}");
        browser.session = format!("{base}/session/{}", browser.begin(&base));
        // What its own first page did is no matter of ours.
        browser.go("about:blank");
        browser.console();
        browser.asked();
        browser
    }

    /// Asks for a session until the driver is up.
    fn begin(&self, base: &str) -> String {
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--disable-extensions",
            "--disable-default-apps",
            "--no-proxy-server",
            &format!("--user-data-dir={}", self._profile.path().display()),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "timeouts": {"script": SCRIPT.as_millis() as u64},
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let deadline = Instant::now() + SOON;
        loop {
            let asked = self.agent.post(format!("{base}/session")).send_json(&wanted);
            match asked.map(|mut answer| answer.body_mut().read_json::<Value>()) {
                Ok(Ok(answer)) if answer["value"]["sessionId"].is_string() => {
                    return answer["value"]["sessionId"].as_str().unwrap().to_owned();
                }
                other => assert!(Instant::now() < deadline, "no browser: {other:?}"),
            }
            crate::pause(100);
        }
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        let asked = self.agent.post(format!("{}/{command}", self.session)).send_json(body);
        let limit = 64 << 20;
        let mut answer = asked.unwrap();
        let value: Value = answer.body_mut().with_config().limit(limit).read_json().unwrap();
        assert!(value["value"]["error"].is_null(), "{command} {body}: {value:#}");
        value["value"].clone()
    }

    pub(crate) fn go(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    /// The value of an expression in the page.
    pub(crate) fn eval(&self, expression: &str) -> Value {
        self.post("execute/sync", &json!({"script": format!("return ({expression})"), "args": []}))
    }

    /// Runs a script that ends by calling `done` with a value.
    pub(crate) fn run(&self, script: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1];{script}");
        self.post("execute/async", &json!({"script": script, "args": []}))
    }

    /// Waits until the expression is true in the page.
    pub(crate) fn until(&self, what: &str, expression: &str) {
        self.until_within(SOON, what, expression);
    }

    pub(crate) fn until_within(&self, limit: Duration, what: &str, expression: &str) {
        let deadline = Instant::now() + limit;
        while self.eval(&format!("Boolean({expression})")) != true {
            if Instant::now() > deadline {
                let page = self.eval("document.body.innerText");
                panic!("not within {limit:?}: {what}\n{}\n{:#?}", page.as_str().unwrap(), self.console());
            }
            crate::pause(50);
        }
    }

    /// Clicks what the selector names first, as a person would: where it is, and only if it can be seen.
    pub(crate) fn click(&self, selector: &str) {
        let found = self.post("element", &json!({"using": "css selector", "value": selector}));
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        self.post(&format!("element/{id}/click"), &json!({}));
    }

    /// Clicks the button with exactly this text within what the selector names.
    pub(crate) fn press(&self, within: &str, label: &str) {
        let path = format!("[...document.querySelector({within:?}).querySelectorAll('button')]");
        let mark = format!(
            "{path}.filter((b) => b.textContent === {label:?}).map((b) => b.dataset.pressed = '1').length"
        );
        assert_eq!(self.eval(&mark), 1, "one button {label} in {within}");
        self.click("[data-pressed='1']");
        self.eval("document.querySelectorAll('[data-pressed]').forEach((b) => delete b.dataset.pressed)");
    }

    /// Types keys, one after the other: letters as they are, others by WebDriver's code points.
    pub(crate) fn keys(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
            })
            .collect();
        self.post("actions", &json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]}));
    }

    /// A command of the browser's own protocol.
    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// A window of that width, in a theme that the system has.
    pub(crate) fn look(&self, width: u32, theme: &str) {
        let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
        let feature = json!({"features": [
            {"name": "prefers-color-scheme", "value": theme}, {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.devtools("Emulation.setEmulatedMedia", &feature);
        self.until("the theme", &format!("document.documentElement.dataset.theme === {theme:?}"));
        // Two frames, so that what depends on the width is drawn.
        self.run("setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 100)");
    }

    /// The whole page as a picture.
    pub(crate) fn shoot(&self, file: &Path) {
        let shot =
            self.devtools("Page.captureScreenshot", &json!({"captureBeyondViewport": true, "format": "png"}));
        std::fs::write(file, STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()).unwrap();
    }

    /// What the page complained of since the last time.
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.post("se/log", &json!({"type": "browser"}));
        let entries = entries.as_array().unwrap().iter();
        entries.map(|entry| format!("{}: {}", entry["level"], entry["message"])).collect()
    }

    /// Addresses that the page asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        let entries = self.post("se/log", &json!({"type": "performance"}));
        let message = |entry: &Value| serde_json::from_str::<Value>(entry["message"].as_str()?).ok();
        let asked = entries.as_array().unwrap().iter().filter_map(message).filter_map(|m| {
            let m = &m["message"];
            (m["method"] == "Network.requestWillBeSent").then(|| m["params"]["request"]["url"].clone())
        });
        asked.map(|url| url.as_str().unwrap().to_owned()).collect()
    }

    /// What axe-core, given as its source, finds of serious or critical impact: rule and place.
    pub(crate) fn barriers(&self, axe: &str) -> Vec<String> {
        let script = format!(
            "{axe};axe.run(document, {{resultTypes: ['violations']}}).then((found) => done(found.violations\
             .filter((v) => v.impact === 'serious' || v.impact === 'critical')\
             .flatMap((v) => v.nodes.slice(0, 5).map((n) => `${{v.id}}: ${{n.target.join(' ')}}: ${{n.failureSummary}}`))), \
             (error) => done([String(error)]))"
        );
        serde_json::from_value(self.run(&script)).unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.agent.delete(&self.session).call();
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
