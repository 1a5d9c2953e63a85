//! A browser, driven through WebDriver: Debian's `chromium` and `chromium-driver`.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};

/// What is not here that a browser needs; `None`: everything is.
pub fn lacks() -> Option<&'static str> {
    ["chromium", "chromedriver"].into_iter().find(|program| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        !std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
    })
}

/// A browser with one window, and its driver; both end when it is dropped.
pub struct Browser {
    /// Its client.
    pub client: Client,
    _driver: Driver,
    _profile: tempfile::TempDir,
}

/// A command of this driver that the protocol itself does not have.
#[derive(Debug)]
struct Own {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    /// Starts one.
    pub async fn start() -> Browser {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr()).expect("a port").port();
        let driver = Driver::start(port);
        let profile = tempfile::tempdir().expect("a directory");
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--enable-precise-memory-info".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        let wanted: Map<String, Value> = [
            ("goog:chromeOptions".to_owned(), json!({ "args": arguments })),
            ("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" })),
        ]
        .into_iter()
        .collect();
        let address = format!("http://127.0.0.1:{port}");
        for _ in 0..600 {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            if let Ok(client) = builder.capabilities(wanted.clone()).connect(&address).await {
                let browser = Browser { client, _driver: driver, _profile: profile };
                browser.own("timeouts", json!({ "script": 300_000 })).await;
                browser.size(1280, 800, false).await;
                return browser;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("chromedriver answers at {address} for no browser");
    }

    async fn own(&self, path: &'static str, body: Value) -> Value {
        self.client.issue_cmd(Own { path, body }).await.expect(path)
    }

    /// A command of Chromium's own protocol.
    pub async fn cdp(&self, command: &str, parameters: Value) -> Value {
        self.own("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// How large the window is, and whether it likes dark pages.
    pub async fn size(&self, width: u32, height: u32, dark: bool) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.cdp("Emulation.setEmulatedMedia", media).await;
    }

    /// Goes to a page, and waits until it shows a matrix.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.expect(url);
        self.until("document.querySelectorAll('#grid [role=gridcell]').length > 0").await;
    }

    /// Evaluates an expression.
    pub async fn js(&self, expression: &str) -> Value {
        self.client.execute(&format!("return ({expression});"), Vec::new()).await.expect(expression)
    }

    /// Evaluates an expression as a text.
    pub async fn text(&self, expression: &str) -> String {
        self.js(expression).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true.
    pub async fn until(&self, expression: &str) {
        for _ in 0..1200 {
            if self.js(expression).await == Value::Bool(true) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let page = self.text("document.body.innerText").await;
        panic!("this has not come: {expression}\nthe page: {page}");
    }

    /// Presses keys where the focus is.
    pub async fn keys(&self, keys: &str) {
        let focused = self.client.active_element().await.expect("something has the focus");
        focused.send_keys(keys).await.expect("keys");
    }

    /// Clicks on what a selector finds.
    pub async fn click(&self, css: &str) {
        let element = self.client.find(Locator::Css(css)).await.expect(css);
        element.click().await.expect(css);
    }

    /// What the console said since the last question that is no mere remark.
    pub async fn errors(&self) -> Vec<String> {
        let log = self.own("se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        let bad =
            entries.into_iter().filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")));
        bad.map(|entry| entry["message"].to_string()).collect()
    }

    /// A picture of the window.
    pub async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.expect("a picture")
    }

    /// Ends it.
    pub async fn end(self) {
        let _ = self.client.clone().close().await;
    }
}

/// The program between us and the browser; it ends when it is dropped, and the browser with it.
struct Driver(Child);

impl Driver {
    fn start(port: u16) -> Driver {
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null());
        Driver(command.spawn().expect("chromedriver starts"))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where axe-core is, if it was installed for the tests: `AXE` names its file.
pub fn axe() -> Option<PathBuf> {
    std::env::var_os("AXE").map(PathBuf::from).filter(|path| path.is_file())
}
