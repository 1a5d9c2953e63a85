//! The terminal and the page beside each other: the same letters, colours, reasons and refusals.

use std::collections::{BTreeMap, BTreeSet};

use ap_view::Whose;
use serde_json::Value;

use crate::driver::Browser;
use crate::server::Server;
use crate::{frames, no_errors, script, twin, with_browser};

/// What is shown of a queue and said of it by the page, queue by queue.
const SAID: &str = "const done = arguments[arguments.length - 1]; (async () => { const all = {}; \
    const texts = (css) => [...document.querySelectorAll(css)].map((one) => one.textContent); \
    const names = [...document.querySelectorAll('#grid [role=gridcell]')].map((cell) => cell.dataset.name); \
    for (const name of names) { \
      document.querySelector(`#grid [data-name='${name}']`).click(); \
      while (document.getElementById('detail-title').textContent !== `Queue ${name}`) \
        await new Promise((next) => setTimeout(next, 2)); \
      all[name] = { reasons: texts('#detail-text p'), refusals: texts('#actions p.no'), \
        labels: texts('#actions .head > :first-child') }; } \
    done(all); })()";

/// Each cell's text and the owner whose colour it has.
async fn colours(browser: &Browser) -> BTreeMap<String, (String, String)> {
    let all = "[...document.querySelectorAll('#grid [role=gridcell]')]\
               .map((cell) => [cell.dataset.name, cell.textContent, cell.className.split(' ')[0]])";
    let all = browser.js(all).await;
    let word = |cell: &Value, at: usize| cell[at].as_str().unwrap_or_default().to_owned();
    let cells = all.as_array().cloned().unwrap_or_default();
    cells.iter().map(|cell| (word(cell, 0), (word(cell, 1), word(cell, 2)))).collect()
}

#[test]
fn the_terminal_and_the_page_show_and_say_the_same() {
    with_browser("the terminal and the page", async |browser| {
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../ap-view/tests/data/every");
        let every = std::fs::read_to_string(format!("{data}.txt")).expect("its lines");
        // A place where there is no queue, and nobody wants one.
        let every: Vec<String> = every.lines().chain(["hw unplug 05.0016"]).map(str::to_owned).collect();
        let mut shown = BTreeSet::new();
        browser.size(1800, 1400, false).await;
        for (machine, lines) in [
            ("tiny".to_owned(), Vec::new()),
            ("default".to_owned(), script()),
            (format!("{data}.toml"), every),
        ] {
            let server = Server::operated(&machine);
            for line in &lines {
                server.operate(line);
            }
            let file = ap_files::MachineFile::load(&machine).expect("a machine");
            let host = ap_view::read::read(&mut twin::after(&file, &lines), "twin").expect("it can be read");
            let mut frames = frames::Frames::of(host);
            browser.open(&server.url()).await;
            let wanted = frames.cells();
            // What takes machine time there has it here already.
            let mut turns = 0..600;
            while colours(&browser).await != wanted && turns.next().is_some() {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            assert_eq!(colours(&browser).await, wanted, "{machine}");
            let said = browser.client.execute_async(SAID, Vec::new()).await.expect("it runs");
            for (queue, (_, owner)) in &wanted {
                shown.insert(owner.clone());
                let frame = frames.said(queue);
                let texts = |what: &str| -> Vec<String> {
                    let all = said[queue][what].as_array().cloned().unwrap_or_default();
                    let texts = all.iter().filter_map(|text| text.as_str());
                    texts.map(|text| text.split_whitespace().collect()).collect()
                };
                let reasons = texts("reasons").concat();
                assert!(!reasons.is_empty() && frame.contains(&reasons), "{queue}: {reasons}\n{frame}");
                assert!(!texts("labels").is_empty(), "{queue}");
                for label in texts("labels") {
                    assert!(frame.contains(&label), "{queue}: {label}\n{frame}");
                }
                for refusal in texts("refusals") {
                    let Some(refusal) = refusal.strip_prefix("Refused,") else { continue };
                    assert!(frame.contains(refusal), "{queue}: {refusal}\n{frame}");
                }
            }
            no_errors(&browser).await;
            // The server ends now, which is not this page's to complain of.
            browser.client.goto("about:blank").await.expect("it goes");
        }
        let all: BTreeSet<String> = Whose::ALL.map(|whose| whose.name().to_owned()).into();
        assert_eq!(shown, all, "queues of every owner were compared");
        browser.end().await;
    });
}
