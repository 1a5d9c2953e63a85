//! The reference's tables have what the program has, and nothing else: keys of files, faults, settings, verdicts,
//! invariants, error numbers, documents, commands.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ap_host::invariants::Invariant;
use ap_sysfs::Errno;
use serde_json::Value;

use crate::pages::{Page, root};

/// The keys of a schema's objects, by the object's name; the whole is "".
fn keys(schema: &str) -> Vec<(String, BTreeSet<String>)> {
    let schema: Value = serde_json::from_str(schema).expect("a schema is JSON");
    let of = |object: &Value| -> Option<BTreeSet<String>> {
        Some(object.get("properties")?.as_object()?.keys().cloned().collect())
    };
    let mut found: Vec<_> = of(&schema).map(|keys| (String::new(), keys)).into_iter().collect();
    for (name, object) in schema["$defs"].as_object().into_iter().flatten() {
        found.extend(of(object).map(|keys| (name.to_lowercase(), keys)));
    }
    found
}

/// The first cells of the tables below a heading.
fn below(page: &Page, heading: &str) -> BTreeSet<String> {
    let start = format!("## {heading}\n");
    let section =
        page.text.split(&start).nth(1).unwrap_or_else(|| panic!("{} has no section {heading}", page.name));
    let section = section.split("\n## ").next().expect("a section");
    let code = |line: &str| Some(line.strip_prefix("| `")?.split('`').next()?.to_owned());
    section.lines().filter_map(code).collect()
}

fn same(page: &str, what: &str, stated: &BTreeSet<String>, real: &BTreeSet<String>) {
    let missing: Vec<_> = real.difference(stated).collect();
    let gone: Vec<_> = stated.difference(real).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "{page}, {what}: it lacks {missing:?}; nothing has {gone:?}"
    );
}

fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> BTreeSet<String> {
    words.into_iter().map(str::to_owned).collect()
}

#[test]
fn h20_the_pages_of_files_have_every_key() {
    for (name, whole, schema) in [
        ("docs/reference/machine-files.md", "The machine", ap_files::machine::schema()),
        ("docs/reference/scenario-files.md", "The scenario", ap_files::scenario::schema()),
        ("docs/reference/desired-files.md", "The state", ap_files::desired::schema()),
    ] {
        let page = Page::read(name);
        for (object, real) in keys(&schema) {
            // A kernel is explained where it is a key.
            if object.contains("kernel") {
                continue;
            }
            let heading = if object.is_empty() { whole } else { &object };
            same(name, heading, &below(&page, heading), &real);
        }
    }
}

#[test]
fn h7_the_page_of_faults_has_every_key() {
    let name = "docs/reference/faults-and-settings.md";
    let page = Page::read(name);
    let told = |commands: &[&str]| -> BTreeSet<String> {
        let keys = ap_sysfs::control::command::KEYS.iter().filter(|key| commands.contains(&key.command));
        words(keys.map(|key| key.name))
    };
    same(name, "faults", &below(&page, "Faults of a queue"), &told(&["q"]));
    same(name, "settings", &below(&page, "Settings of the machine"), &told(&["qci", "opt"]));
    for (heading, cells) in [("Faults of a queue", 4), ("Settings of the machine", 4)] {
        for (key, row) in page.rows() {
            if below(&page, heading).contains(&key) {
                assert_eq!(row.len() + 1, cells, "{key} has values, a meaning and an example");
                assert!(row.last().expect("cells").contains(&format!("`{key}=")), "{key} has an example");
            }
        }
    }
}

#[test]
fn h3_every_invariant_and_verdict_is_explained() {
    let name = "docs/invariants.md";
    let page = Page::read(name);
    let verdicts = words(ap_proof::oracle::Verdict::ALL.into_iter().map(ap_proof::oracle::Verdict::word));
    same(name, "verdicts", &below(&page, "The verdicts"), &verdicts);
    use Invariant::{I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11};
    let invariants: BTreeSet<String> =
        [I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11].map(|invariant| invariant.to_string()).into();
    same(name, "invariants", &below(&page, "The invariants"), &invariants);
    let suspected: BTreeSet<String> = (1..=26).map(|number| format!("N{number}")).collect();
    same(name, "N1 to N26", &below(&page, "Suspected and found in Linux: N1 to N26"), &suspected);
    for word in ["The specification", "The mail", "The series", "page 4 of the specification"] {
        assert!(page.text.contains(word), "{name} says what {word} is");
    }
    for page in ["README.md", "docs/proof.md", "docs/guide/write-a-scenario.md", "docs/deviations.md"] {
        let linked = Page::read(page).links.iter().any(|link| link.target.contains("invariants.md"));
        assert!(linked, "{page} links the invariants");
    }
}

#[test]
fn h25_every_error_number_is_explained() {
    let page = Page::read("docs/reference/errnos.md");
    let source = fs::read_to_string(root().join("crates/ap-sysfs/src/errno.rs")).expect("the numbers");
    let real: BTreeSet<String> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix('E').and(line.trim().split_once(" = ")))
        .map(|(name, _)| name.to_owned())
        .filter(|name| Errno::from_name(name).is_some())
        .collect();
    let stated: BTreeSet<String> = page.rows().into_iter().map(|(name, _)| name).collect();
    same(&page.name, "names", &stated, &real);
    for (name, cells) in page.rows() {
        let errno = Errno::from_name(&name).expect("it is known");
        assert_eq!(cells[0], errno.message(), "the text of {name}");
    }
}

/// The names of documents that the program's source has.
fn documents(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).expect("source");
            for rest in text.split("\"apmatrix.").skip(1) {
                let name = rest.split('"').next().expect("a string");
                if name.ends_with("/1") && name.chars().all(|c| c.is_ascii_alphanumeric() || "-/".contains(c))
                {
                    found.insert(format!("apmatrix.{name}"));
                }
            }
        }
    }
}

/// What is no document that a command prints: files that are read, and what the system keeps for itself.
const NO_DOCUMENTS: [&str; 6] = [
    "apmatrix.checkpoint/1",
    "apmatrix.machine/1",
    "apmatrix.scenario/1",
    "apmatrix.desired/1",
    "apmatrix.journal/1",
    "apmatrix.state/1",
];

#[test]
fn h17_every_document_has_a_sample_whose_keys_are_explained() {
    let page = Page::read("docs/reference/json.md");
    let mut real = BTreeSet::new();
    for entry in fs::read_dir(root().join("crates")).expect("crates") {
        documents(&entry.expect("an entry").path().join("src"), &mut real);
    }
    // The verb stands in the name of what is said of a guest.
    real.insert("apmatrix.guest-show/1".to_owned());
    real.retain(|name| !NO_DOCUMENTS.contains(&name.as_str()));
    let stated: BTreeSet<String> = page
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("## ").filter(|heading| heading.starts_with("apmatrix.")))
        .map(str::to_owned)
        .collect();
    same(&page.name, "documents", &stated, &real);
    for name in &stated {
        let section = page.text.split(&format!("## {name}\n")).nth(1).expect("its section");
        let section = section.split("\n## ").next().expect("a section");
        let key = |line: &str| Some(line.strip_prefix("  \"")?.split('"').next()?.to_owned());
        let mut printed: BTreeSet<String> = section.lines().filter_map(key).collect();
        assert!(printed.remove("schema"), "{name} has a sample");
        same(&page.name, name, &below(&page, name), &printed);
    }
}

#[test]
fn every_command_is_in_the_reference() {
    let page = Page::read("docs/reference/commands.md");
    let help =
        std::process::Command::new(env!("CARGO_BIN_EXE_apmatrix")).arg("--help").output().expect("it runs");
    let help = String::from_utf8(help.stdout).expect("text");
    let list = help.split("Commands:\n").nth(1).expect("commands").split("\n\n").next().expect("a list");
    let real: BTreeSet<String> = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    let stated: BTreeSet<String> =
        page.text.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect();
    let missing: Vec<_> = real.difference(&stated).collect();
    let gone: Vec<_> = stated.difference(&real).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "docs/reference/commands.md lacks {missing:?}, and has {gone:?} that are not there: for each a heading `## NAME`, a \
         sentence, and a block `apmatrix NAME --help`; APMATRIX_PAGES=rewrite fills in what it prints"
    );
}

/// What the program says of an environment that lacks something: the words before the first colon, bracket or value.
fn complaints() -> Vec<String> {
    let source = fs::read_to_string(root().join("crates/ap-fuse/src/error.rs")).expect("the messages");
    let mut found = Vec::new();
    for rest in source.split("#[error(").skip(1) {
        let text = rest.split_once('"').expect("a message").1;
        let words: Vec<&str> = text.split('"').next().expect("its end").split_whitespace().collect();
        let text = words.join(" ").replace("\\ ", "");
        let end = text.find([':', ';', ',', '{', '`']).unwrap_or(text.len());
        let head = text[..end].split(" (").next().expect("its beginning").trim();
        if head.split(' ').count() >= 3 {
            found.push(head.to_owned());
        }
    }
    found
}

#[test]
fn h25_troubleshooting_has_every_complaint_about_the_environment() {
    let page = Page::read("docs/troubleshooting.md").text;
    let complaints = complaints();
    assert!(complaints.len() > 12, "{complaints:?}");
    // These are about arguments, and say all there is to say.
    let others = ["there is no processor"];
    let missing: Vec<_> = complaints
        .iter()
        .filter(|words| !others.contains(&words.as_str()) && !page.contains(&format!("`{words}`")))
        .collect();
    assert!(missing.is_empty(), "docs/troubleshooting.md lacks {missing:?}");
    for words in ["fuse", "AppArmor", "timeout", "guest stop", "dash"] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn h3_the_rows_that_pages_name_are_there() {
    let rows = Page::read("docs/deviations.md").text;
    for page in crate::pages::shown() {
        for kind in ["DEV-", "KNOWN-"] {
            for rest in page.text.split(kind).skip(1) {
                let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
                if number.len() == 3 {
                    assert!(rows.contains(&format!("| {kind}{number} |")), "{}: {kind}{number}", page.name);
                }
            }
        }
    }
}
