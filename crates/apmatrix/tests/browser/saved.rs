//! Pages that stand in a file: of `ls`, of a plan, of an exploration. They need no server, and load nothing.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::{DOWN, END, HOME, LEFT, RIGHT, axe, serious, tree, twin, with_browser};

/// Pages that stand in a file of their own: with each width, light and dark.
#[test]
fn pages_of_ls_and_plan_are_as_good_as_the_served_one() {
    let script = axe();
    with_browser("pages in files", async |browser| {
        let directory = tempfile::tempdir().expect("a directory");
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../ap-view/tests/data/every.toml");
        let mut session = twin::after(
            &ap_files::MachineFile::load(data).expect("a machine"),
            &["guest start g1 a0000001-0000-4000-8000-000000000001".to_owned()],
        );
        tree::write(&mut session, &directory.path().join("sys"));
        apmatrix(directory.path(), &["ls", "--root", "sys", "--html", "ls.html"]);
        std::fs::write(directory.path().join("want.toml"), DESIRED).expect("a file");
        apmatrix(directory.path(), &["plan", "want.toml", "--machine", "default", "--html", "plan.html"]);
        for (page, queue, says) in
            [("ls.html", "0a.0006", "guest g1 has it"), ("plan.html", "04.0006", "mdev 1 has it assigned")]
        {
            let mut backs = Vec::new();
            for (width, dark) in [(360, false), (360, true), (1280, false), (1280, true)] {
                browser.size(width, 740, dark).await;
                browser.open(&format!("file://{}", directory.path().join(page).display())).await;
                let wide = browser.js("document.documentElement.scrollWidth").await;
                assert!(wide.as_u64() <= Some(u64::from(width)), "{page}, {width}: the page is {wide} wide");
                browser.click(&format!("#grid [data-name='{queue}']")).await;
                browser
                    .until(&format!("document.getElementById('detail-text').innerText.includes('{says}')"))
                    .await;
                backs.push(browser.text("getComputedStyle(document.body).backgroundColor").await);
                if let Some(script) = &script {
                    let serious = serious(&browser, script).await;
                    assert!(serious.is_empty(), "{page}, {width} wide, dark {dark}: {serious:#?}");
                }
                let errors = browser.errors().await;
                assert!(errors.is_empty(), "{page}: {errors:#?}");
                let loaded = "performance.getEntriesByType('resource').map((one) => one.name)";
                assert_eq!(browser.js(loaded).await, json!([]), "{page} is complete");
            }
            assert_eq!((&backs[0], &backs[1]), (&backs[2], &backs[3]));
            assert_ne!(backs[0], backs[1], "dark and light");
        }
        browser.end().await;
    });
}

#[test]
fn the_two_finds_of_the_seed_are_timelines() {
    let script = axe();
    with_browser("the pages of the explorer", async |browser| {
        let directory = tempfile::tempdir().expect("a directory");
        for (specimen, verdict, steps, waits) in
            [("seed-deadlock", "deadlock", 2, true), ("seed-theft", "stolen", 24, false)]
        {
            let url = find(directory.path(), specimen);
            for (width, height, dark) in [(1280, 800, false), (360, 740, true)] {
                browser.size(width, height, dark).await;
                browser.client.goto(&url).await.expect("it opens");
                browser.until("document.querySelectorAll('.picked').length > 0").await;
                let text = async |id: &str| {
                    browser.text(&format!("document.getElementById('{id}').textContent")).await
                };
                assert_eq!(text("verdict").await, verdict);
                // Locks are bars: as many as are taken. A task that waits says so where it waits.
                let bars = browser.js("document.querySelectorAll('.bar').length").await.as_u64();
                assert!(bars >= Some(2), "{bars:?}");
                let dashed = browser.js("[...document.querySelectorAll('.wait')].length > 0").await;
                assert_eq!(dashed, json!(waits), "a lock that is only tried is waited for by nobody");
                let stuck = "[...document.querySelectorAll('.wrongrow')].some((row) => \
                             /^\\(\\d\\) waits for/.test(row.textContent))";
                assert_eq!(browser.js(stuck).await, json!(waits));
                // By keys alone: to the first step, on, to the end, to the next execution and back.
                browser.keys(HOME).await;
                assert_eq!(text("nowhead").await, format!("Step 1 of {steps}"));
                assert!(text("now").await.contains("takes ap_perms_mutex (P)"), "{}", text("now").await);
                browser.keys(DOWN).await;
                assert_eq!(text("nowhead").await, format!("Step 2 of {steps}"));
                browser.keys(END).await;
                assert_eq!(text("nowhead").await, "At the end");
                let chosen = "[...document.querySelectorAll('.choice')].findIndex((one) => \
                              one.getAttribute('aria-pressed') === 'true')";
                browser.keys(RIGHT).await;
                assert_eq!(browser.js(chosen).await, json!(1));
                browser.keys(LEFT).await;
                assert_eq!(browser.js(chosen).await, json!(0));
                let fits = "document.documentElement.scrollWidth <= window.innerWidth";
                assert_eq!(browser.js(fits).await, json!(true), "the page itself does not scroll sideways");
                if let Some(script) = &script {
                    let serious = serious(&browser, script).await;
                    assert!(serious.is_empty(), "{specimen}, {width} wide, dark {dark}: {serious:#?}");
                }
                let errors = browser.errors().await;
                assert!(errors.is_empty(), "{errors:#?}");
                let loaded = "performance.getEntriesByType('resource').map((one) => one.name)";
                assert_eq!(browser.js(loaded).await, json!([]), "it is complete");
            }
        }
        browser.end().await;
    });
}

/// Runs `apmatrix` in a directory.
/// The address of the page of what the explorer finds in a specimen.
pub fn find(directory: &Path, specimen: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apmatrix"));
    command.args(["explore", "--specimen", specimen, "--html", "find.html"]);
    let output = command.current_dir(directory).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    format!("file://{}", directory.join("find.html").display())
}

pub fn apmatrix(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apmatrix"));
    let output = command.args(arguments).current_dir(directory).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

pub const DESIRED: &str = "schema = \"apmatrix.desired/1\"\n[host]\napmask = \"-4,-5\"\n[[mdev]]\nuuid = \"a0000001-0000-4000-8000-000000000001\"\n\
                       adapters = [4, 5]\ndomains = [6, 71]\n";

#[test]
fn a_plan_is_a_page_with_a_slider() {
    with_browser("the page of a plan", async |browser| {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("want.toml"), DESIRED).expect("a file");
        apmatrix(directory.path(), &["plan", "want.toml", "--machine", "default", "--html", "plan.html"]);
        browser.open(&format!("file://{}", directory.path().join("plan.html").display())).await;
        let steps: u32 = browser.text("document.getElementById('step').max").await.parse().expect("a number");
        assert!(steps >= 2, "{steps}");
        let at =
            |grid: &str| format!("document.querySelector('#{grid} [data-name=\"04.0006\"]').textContent");
        assert_eq!(
            (browser.text(&at("grid-before")).await, browser.text(&at("grid")).await),
            ("H".into(), "M1".into())
        );
        for _ in 0..steps {
            browser.click("#step-back").await;
        }
        assert_eq!(browser.text(&at("grid")).await, "H");
        assert!(browser.js("document.getElementById('step-back').disabled").await == json!(true));
        browser.click("#step-on").await;
        assert!(browser.text("document.getElementById('step-line').textContent").await.starts_with("echo "));
        // The first step makes the mdev, the second gives up queues.
        assert_eq!(browser.js("document.querySelectorAll('#grid .moved').length").await, json!(0));
        browser.click("#step-on").await;
        assert_eq!(browser.js("document.querySelectorAll('#grid .moved').length > 0").await, json!(true));
        let errors = browser.errors().await;
        assert!(errors.is_empty(), "{errors:#?}");
        let loaded = browser.js("performance.getEntriesByType('resource').map((one) => one.name)").await;
        assert_eq!(loaded, json!([]), "it is complete");
        browser.end().await;
    });
}
