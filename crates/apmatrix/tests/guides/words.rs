//! Words: terms lead to the glossary where a page uses them first, and what the first readers stumbled over is gone.

use std::fs;

use ap_task::kernel::Ground;
use ap_task::{Flag, Kernel, Version};

use crate::pages::{Page, all, resolve, root};

/// A term, and where it is explained.
const TERMS: [(&str, &str); 7] = [
    ("APQN", "apqn"),
    ("APCB", "apcb"),
    ("AQIC", "aqic"),
    ("mediated device", "mdev-mediated-device"),
    ("usage domain", "usage-domain"),
    ("control domain", "control-domain"),
    ("filter", "filter"),
];

#[test]
fn h2_terms_lead_to_the_glossary_at_their_first_use() {
    let glossary = Page::read("docs/glossary.md");
    let mut wrong = Vec::new();
    for page in all().iter().filter(|page| {
        page.name == "README.md" || page.name == "docs/concepts.md" || page.name.starts_with("docs/guide/")
    }) {
        for (term, anchor) in TERMS {
            assert!(glossary.anchors.contains_key(anchor), "the glossary has {anchor}");
            let low = term.to_lowercase();
            let Some(first) = page.prose.iter().find(|words| words.text.to_lowercase().contains(&low)) else {
                continue;
            };
            let leads =
                first.link.as_deref().and_then(|target| target.split_once('#')).is_some_and(|(file, to)| {
                    resolve(&page.name, file).as_deref() == Some("docs/glossary.md") && to == anchor
                });
            if !leads {
                wrong.push(format!(
                    "{}: the first `{term}` does not lead to glossary.md#{anchor}",
                    page.at(first.place)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn h2_what_was_never_explained_is() {
    let glossary = Page::read("docs/glossary.md").text;
    for word in
        ["`.0004`", "`05.`", "decimal", "hexadecimal", "In-use", "the veto", "shadow APCB", "`card0a`"]
    {
        assert!(glossary.contains(word), "the glossary explains {word}");
    }
}

#[test]
fn h1_the_readme_says_how_to_get_the_program_before_anything_is_run() {
    let readme = Page::read("README.md").text;
    let place = |word: &str| readme.find(word).unwrap_or_else(|| panic!("README.md has `{word}`"));
    assert!(place("## Install") < place("```sh"), "installing comes first");
    let wanted = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let version =
        wanted.split("rust-version = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a version");
    for page in ["README.md", "docs/installation.md", "docs/guide/use-it-in-ci.md"] {
        assert!(Page::read(page).text.contains(&format!("Rust {version}")), "{page} names Rust {version}");
    }
    assert!(place("## Install") < place("## The story"), "the story comes after what it is for");
    let ci = Page::read("docs/guide/use-it-in-ci.md").text;
    for line in [
        "name: ap",
        "on: [push, pull_request]",
        "runs-on:",
        "actions/checkout",
        "container:",
        "cargo install --locked",
    ] {
        assert!(ci.contains(line), "the workflow is whole: {line}");
    }
}

#[test]
fn h4_a_guide_checks_a_locking_rule_and_says_what_cannot_be_done() {
    let guide = Page::read("docs/guide/check-a-locking-rule.md").text;
    for word in [
        "git apply specimens/",
        "git apply -R specimens/",
        "C code is not run here",
        "[expect]",
        "## Read the find",
    ] {
        assert!(guide.contains(word), "{word}");
    }
}

#[test]
fn h5_the_pages_say_that_a_removal_waits_and_what_ends_it() {
    for page in ["docs/guide/test-a-tool.md", "docs/troubleshooting.md"] {
        let text = Page::read(page).text;
        assert!(text.contains("timeout") && text.contains("guest stop"), "{page}");
    }
}

#[test]
fn h23_telegrams_are_sentences() {
    // What the readers named, and its kind: no sentence ends in a bare negation or begins with a participle alone.
    let gone = [
        "Nothing third can happen",
        "Nothing is to be",
        "No step refused",
        "lets ordinary users, `--device`",
    ];
    for page in all() {
        for words in gone {
            assert!(!page.text.contains(words), "{}: `{words}`", page.name);
        }
    }
}

/// The guide's table of flags says what the program says.
#[test]
fn the_table_of_kernels_is_the_programs() {
    let page = Page::read("docs/guide/kernels.md").text;
    for flag in Flag::ALL {
        let start = format!("| `{flag}` |");
        let row = page.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("kernels.md has no row of {flag}"));
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        for (version, cell) in Version::ALL.into_iter().zip(&cells[1..]) {
            assert_eq!(*cell == "yes", Kernel::of(version).has(flag), "{flag} of {version}: {row}");
        }
        let what = cells[6].replace('`', "");
        match flag.ground() {
            Ground::Recorded => assert_eq!(what, flag.what(), "{flag}"),
            Ground::ByReading => assert_eq!(what, format!("{} (*by reading*)", flag.what()), "{flag}"),
            Ground::NoEffect(_) => assert!(what.starts_with("no effect"), "{flag}: {what}"),
        }
    }
    for number in Version::NUMBERS {
        let version = Version::from_number(number).expect("it is known");
        assert!(version.name() == number || page.contains(number), "kernels.md says nothing of {number}");
    }
}

#[test]
fn h18_a_suite_gets_a_machine_for_each_test_by_25_lines() {
    let page = Page::read("docs/guide/run-a-suite.md");
    let fixture =
        page.codes.iter().find(|code| code.mark("file") == Some("conftest.py")).expect("a conftest.py");
    let lines = fixture.text.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 25, "{lines} lines");
    for words in ["What leaks from one test to the next", "What does not leak", "## In parallel"] {
        assert!(page.text.contains(words), "the page says {words}");
    }
    let runs =
        page.codes.iter().filter(|code| code.mark("needs").is_some_and(|needs| needs.contains("pytest")));
    assert!(runs.count() >= 3, "and is run, alone, together and in parallel");
}
