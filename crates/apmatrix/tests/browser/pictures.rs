//! The pictures of `docs/pictures`: made anew by a command, and of which sources they are.

use std::path::Path;

use crate::saved::{DESIRED, apmatrix, find};
use crate::server::Server;
use crate::with_browser;

/// What the pictures are made of.
const SOURCES: [&str; 10] = [
    "crates/ap-serve/src/page/icon.svg",
    "crates/ap-serve/src/page/page.css",
    "crates/ap-serve/src/page/page.html",
    "crates/ap-serve/src/page/page.js",
    "crates/ap-view/tests/data/every.toml",
    "crates/ap-view/tests/data/every.txt",
    "crates/ap-files/src/machine/builtin/default.toml",
    "crates/ap-files/src/machine/builtin/max.toml",
    "crates/apmatrix/src/timeline/page.html",
    "crates/apmatrix/tests/browser/saved.rs",
];

/// Beside the pictures: of which sources they are.
const PICTURED: &str = "docs/pictures/sources";

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A line for each source: its hash (FNV-1a) and its name.
fn sources() -> String {
    let line = |name: &str| {
        let bytes = std::fs::read(root().join(name)).expect(name);
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{hash:016x}  {name}\n")
    };
    SOURCES.map(line).concat()
}

#[test]
fn the_pictures_are_of_this_page() {
    let pictured = std::fs::read_to_string(root().join(PICTURED)).unwrap_or_default();
    let now = sources();
    let changed: Vec<&str> =
        now.lines().filter(|line| !pictured.lines().any(|known| known == *line)).collect();
    assert!(
        changed.is_empty() && pictured == now,
        "the pictures of docs/pictures are of an older page; make them anew and look at them: \
         cargo test -p apmatrix --test browser pictures -- --ignored\n{changed:#?}"
    );
}

#[test]
#[ignore = "writes docs/pictures: cargo test -p apmatrix --test browser pictures -- --ignored"]
fn pictures() {
    with_browser("pictures", async |browser| {
        let to = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pictures");
        std::fs::create_dir_all(&to).expect("a directory");
        let save = async |name: &str| std::fs::write(to.join(name), browser.picture().await).expect("a file");
        let every = Server::every();
        for (name, width, height, dark) in [
            ("page.png", 1280, 800, false),
            ("page-dark.png", 1280, 800, true),
            ("page-narrow.png", 360, 740, false),
        ] {
            browser.size(width, height, dark).await;
            browser.open(&every.url()).await;
            browser.click("[data-name='0c.0006']").await;
            browser.until("document.getElementById('detail-text').innerText.includes('is missing')").await;
            save(name).await;
        }
        let max = Server::operated("max");
        for line in ["echo -0-63 > /sys/bus/ap/apmask", "echo -128-255 > /sys/bus/ap/aqmask"] {
            max.operate(line);
        }
        browser.size(1100, 1300, false).await;
        browser.open(&max.url()).await;
        browser.click("#overview summary").await;
        save("page-max.png").await;
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("want.toml"), DESIRED).expect("a file");
        apmatrix(directory.path(), &["plan", "want.toml", "--machine", "default", "--html", "plan.html"]);
        browser.size(1100, 720, false).await;
        browser.open(&format!("file://{}", directory.path().join("plan.html").display())).await;
        save("plan.png").await;
        for (specimen, picture, height) in
            [("seed-deadlock", "deadlock.png", 760), ("seed-theft", "theft.png", 860)]
        {
            browser.size(1280, height, false).await;
            browser.client.goto(&find(directory.path(), specimen)).await.expect("it opens");
            browser.until("document.querySelectorAll('.picked').length > 0").await;
            save(picture).await;
        }
        std::fs::write(root().join(PICTURED), sources()).expect("a file");
        browser.end().await;
    });
}
