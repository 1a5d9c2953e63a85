//! The book is built without a warning where mdBook is to be had, and its links lead to its pages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::pages::root;
use crate::skip::pass_over;

fn html(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            html(&path, found);
        } else if path.extension().is_some_and(|end| end == "html") {
            found.push(path);
        }
    }
}

/// What stands in `name="…"`, each time.
fn values<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let start = format!(" {name}=\"");
    text.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn the_book_builds_without_warnings_and_its_links_resolve() {
    let lacks = |program: &str| {
        !Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success())
    };
    if let Some(program) = ["mdbook", "python3"].into_iter().find(|program| lacks(program)) {
        return pass_over("the book", format!("{program} is not installed (`ci/book` installs mdbook)"));
    }
    let directory = tempfile::tempdir().expect("a directory");
    let built = Command::new("mdbook")
        .arg("build")
        .arg(root().join("docs"))
        .arg("--dest-dir")
        .arg(directory.path())
        .env("RUST_LOG", "info")
        .output()
        .expect("mdbook runs");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success() && !said.contains("WARN") && !said.contains("ERROR"), "{said}");

    let mut pages = Vec::new();
    html(directory.path(), &mut pages);
    assert!(pages.len() > 30, "{} pages", pages.len());
    let mut wrong = BTreeSet::new();
    for page in &pages {
        // Its own index of everything repeats the pages, and 404 is shown anywhere.
        if page.ends_with("print.html") || page.ends_with("404.html") || page.ends_with("toc.html") {
            continue;
        }
        let text = fs::read_to_string(page).expect("a page");
        for target in values(&text, "href").into_iter().chain(values(&text, "src")) {
            if target.contains("://")
                || target.starts_with('#')
                || target.starts_with("data:")
                || target.is_empty()
            {
                continue;
            }
            let file =
                page.parent().expect("a directory").join(target.split(['#', '?']).next().expect("a file"));
            if !file.exists() {
                wrong.insert(format!(
                    "{}: {target}",
                    page.strip_prefix(directory.path()).expect("inside").display()
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "links that lead nowhere in the book:\n{}",
        wrong.into_iter().collect::<Vec<_>>().join("\n")
    );
}
