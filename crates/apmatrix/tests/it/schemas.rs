//! One schema name is one document: the names in the sources, and what the commands print under each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use ap_files::{MachineFile, boot};
use ap_sysfs::{Called, Filesystem};
use serde_json::Value;

use crate::common::apmatrix_in;
use crate::{ls, started};

/// A document: its name, the keys that it always has beside `schema`, and those that it may have.
type Document = (&'static str, &'static [&'static str], &'static [&'static str]);

/// What is printed. A new document gets its row here.
#[rustfmt::skip]
const PRINTED: [Document; 29] = [
    ("applied", &["outcome"], &["why", "stuck", "in_effect", "lacking", "go_on", "confirm_by"]),
    ("events", &["events"], &[]),
    ("explorations", &["scenarios"], &["memory_bytes"]),
    ("explore", &["title", "file", "verdict", "exhausted", "executions", "states", "seconds", "bounds", "outcomes", "violations"], &["why", "unexpected", "other", "memory_bytes", "after", "audit"]),
    ("explore-list", &["specimens", "scenarios"], &[]),
    ("fits", &["source", "target", "mdevs"], &[]),
    ("guest-show", &["name", "hook", "nset", "nclear", "apm", "aqm", "adm"], &["queues", "pinneds"]),
    ("guests", &["guests"], &[]),
    ("ls", &["cards"], &[]),
    ("machine-check", &["file", "ok"], &["name", "adapters", "domains", "queues", "line", "message", "expected", "others", "notes"]),
    ("kernels", &["kernels", "taken", "flags"], &[]),
    ("machines", &["machines"], &[]),
    ("no-plan", &["obstacles"], &[]),
    ("page", &["title", "steps"], &[]),
    ("plan", &["host", "wanted", "allow", "writes", "least", "most", "steps", "queues", "guarantees", "warnings"], &[]),
    ("replay", &["passed", "failed", "files"], &[]),
    ("replayed", &["title", "schedule", "findings", "trace"], &["results", "state", "left"]),
    ("running", &["names"], &[]),
    ("sequences", &["alphabet", "about", "kernel", "operations", "verdict", "exhausted", "closed", "depth", "transitions", "states", "levels", "seconds", "transitions_per_second", "memory_bytes", "violations"], &[]),
    ("specimen", &["specimen", "title", "verdict", "exhausted", "executions", "states", "seconds", "bounds", "outcomes", "violations"], &["why"]),
    ("specimen-replayed", &["specimen", "title", "schedule", "findings", "trace"], &["results", "state", "waiting"]),
    ("state", &["machine", "kernel", "now_ms", "features", "adapters", "domains", "control_domains", "masks_in_use", "mdevs", "guests"], &[]),
    ("v12", &["seconds", "as_expected", "rows"], &[]),
    ("view", &["moment", "name", "kernel", "operable", "trouble", "notes", "legend", "domains", "adapters", "mdevs", "masks", "events"], &[]),
    ("view-change", &["moment", "trouble", "adapters", "domains", "mdevs", "masks", "events"], &[]),
    ("view-detail", &["select", "title", "reasons", "facts", "actions"], &[]),
    ("view-found", &["select"], &[]),
    ("view-said", &["done", "text"], &[]),
    ("why", &["path", "text", "refused", "now", "errno", "reason", "rule", "effect", "note", "queues", "more_queues", "writes_since", "change", "or"], &[]),
];

/// What is read, and described by a JSON schema.
const READ: [&str; 3] = ["desired", "machine", "scenario"];

/// What the server takes: it has a schema, and no key `schema`.
const TAKEN: [&str; 1] = ["view-operate"];

/// What apmatrix keeps for itself: a file that nobody else reads.
const KEPT: [&str; 1] = ["journal"];

/// `NAME` of `apmatrix.NAME/1`.
fn name(schema: &str) -> &str {
    let name = schema.strip_prefix("apmatrix.").and_then(|rest| rest.strip_suffix("/1"));
    name.unwrap_or_else(|| panic!("`{schema}` is no name of a document"))
}

/// The sources below a directory, tests left out.
fn sources(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).expect("a source directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            found.push((path.display().to_string(), shipped));
        }
    }
}

/// Where a document of each name is made or read: lines that give a name to `schema` or to a constant `SCHEMA`.
fn places() -> BTreeMap<String, Vec<String>> {
    let mut found = Vec::new();
    for name in ["ap-files", "ap-serve", "apmatrix"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src"), &mut found);
    }
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in found {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let told = ["schema: \"apmatrix.", "SCHEMA: &str = \"apmatrix.", "\"apmatrix.guest-"]
                .iter()
                .find_map(|mark| Some(line.find(mark)? + mark.rfind("apmatrix.")?));
            if let Some(at) = told {
                let schema = line[at..].split('"').next().unwrap_or_default();
                places.entry(schema.to_owned()).or_default().push(path.clone());
            }
        }
    }
    places
}

#[test]
fn each_name_is_given_in_one_place_and_is_listed() {
    let places = places();
    for (schema, places) in &places {
        assert_eq!(places.len(), 1, "`{schema}` is given to documents of several places: {places:?}");
    }
    let given: BTreeSet<&str> = places.keys().map(|schema| name(schema)).collect();
    // What a guest's verb answers has the verb in its name.
    let listed = PRINTED.iter().map(|(name, ..)| if *name == "guest-show" { "guest-{}" } else { name });
    assert_eq!(given, listed.chain(READ).chain(KEPT).collect());
}

#[test]
fn each_key_is_explained() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/json.md");
    let page = fs::read_to_string(page).expect("the page");
    // A state is for who kept it, and has no section: it is read again by `apmatrix` alone.
    for (name, always, sometimes) in PRINTED.into_iter().filter(|(name, ..)| *name != "state") {
        let heading = format!("## apmatrix.{name}/1\n");
        let section =
            page.split(&heading).nth(1).unwrap_or_else(|| panic!("no section `{}`", heading.trim()));
        let section = section.split("\n## ").next().expect("a section");
        let silent: Vec<_> =
            always.iter().chain(sometimes).filter(|key| !section.contains(&format!("`{key}`"))).collect();
        assert!(silent.is_empty(), "docs/reference/json.md says nothing of {silent:?} of {name}");
    }
}

/// Runs a command that prints a document.
fn printed(directory: &Path, arguments: &[&str]) -> Value {
    let ran = apmatrix_in(directory, arguments);
    serde_json::from_str(&ran.out)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}{}", ran.out, ran.err))
}

/// The document must be what its row says.
fn check(document: &Value, seen: &mut BTreeSet<&'static str>) {
    let found = name(document["schema"].as_str().expect("a name"));
    let row = PRINTED.iter().find(|(name, ..)| *name == found);
    let (name, always, sometimes) = row.unwrap_or_else(|| panic!("{found} is not listed"));
    seen.insert(name);
    let keys: BTreeSet<&str> = document.as_object().expect("an object").keys().map(String::as_str).collect();
    let missing: Vec<_> = always.iter().filter(|key| !keys.contains(**key)).collect();
    assert!(missing.is_empty(), "{name} lacks {missing:?}");
    let known = |key: &&&str| **key == "schema" || always.contains(key) || sometimes.contains(key);
    let other: Vec<_> = keys.iter().filter(|key| !known(key)).collect();
    assert!(other.is_empty(), "{name} has {other:?}, too");
}

const WANTED_OF_THE_HOSTS: &str = "schema = \"apmatrix.desired/1\"\n[[mdev]]\n\
     uuid = \"62177883-f1bb-47f0-914d-32a22e3a8804\"\nadapters = 4\ndomains = 6\n";

const SCENARIO: &str = "schema = \"apmatrix.scenario/1\"\nmachine = \"tiny\"\n\
     [[task]]\nname = \"a\"\nrun = \"echo 6 > /sys/bus/ap/ap_domain\"\n\
     [[task]]\nname = \"b\"\nrun = \"cat /sys/bus/ap/apmask\"\n";

#[test]
fn what_is_printed_under_a_name_has_its_keys() {
    let tree = ls::tree();
    let at = tree.path();
    for (file, text) in [
        ("a.toml", SCENARIO),
        ("b.toml", SCENARIO),
        ("m.toml", "schema = \"apmatrix.machine/1\"\n"),
        ("n.toml", "schema = \"apmatrix.machine/1\"\ndomain = 4\n"),
        ("d.toml", "schema = \"apmatrix.desired/1\"\n[host]\napmask = \"-4\"\n"),
        ("w.toml", WANTED_OF_THE_HOSTS),
        ("t.jsonl", "{\"i\":0,\"op\":\"hw\",\"cmd\":\"apm none\",\"errno\":0}\n"),
    ] {
        fs::write(at.join(file), text).expect("it can be written");
    }
    fs::create_dir(at.join("run")).expect("it can be made");
    let mut seen = BTreeSet::new();
    let mut see = |arguments: &[&str]| {
        let document = printed(at, arguments);
        check(&document, &mut seen);
        document
    };
    for arguments in [
        &["ls", "--root", "sys", "--json"][..],
        &["events", "--root", "sys", "--json"],
        &["guest", "--root", "sys", "list", "--json"],
        &["guest", "--root", "sys", "show", "g1", "--json"],
        &["machine", "list", "--json"],
        &["plan", "d.toml", "--machine", "tiny", "--json"],
        &["plan", "w.toml", "--machine", "tiny", "--json"],
        &["fits", "tiny", "default", "--json"],
        &["recover", "--root", "sys", "--run-dir", "run", "--json"],
        &["machine", "list", "--kernels", "--json"],
        &["machine", "check", "m.toml", "--json"],
        &["machine", "check", "n.toml", "--json"],
        &["replay", "t.jsonl", "--json"],
        &["explore", "--list", "--json"],
        &["explore", "--sequences", "--depth", "1", "--json"],
        &["exec", "--list", "--json"],
        &["why", "--machine", "tiny", "apmask", "+4", "--json"],
        &["why", "--machine", "tiny", "apmask", "zz", "--json"],
    ] {
        see(arguments);
    }
    let one = see(&["explore", "a.toml", "--json"]);
    let several = see(&["explore", "a.toml", "b.toml", "--json"]);
    assert_eq!(several["scenarios"].as_array().map(Vec::len), Some(2));
    see(&["explore", "a.toml", "--engine", "both", "--json"]);
    let schedule = one["outcomes"][0]["schedule"].as_str().expect("a schedule");
    see(&["explore", "a.toml", "--replay", schedule, "--json"]);
    for id in ["seed-deadlock", "seed-theft", "shipped"] {
        let specimen = see(&["explore", "--specimen", id, "--json"]);
        let first = if id == "shipped" { &specimen["outcomes"][0] } else { &specimen["violations"][0] };
        let schedule = first["schedule"].as_str().expect("a schedule");
        see(&["explore", "--specimen", id, "--replay", schedule, "--json"]);
    }
    let several = several["scenarios"].as_array().expect("a list");
    several.iter().for_each(|document| check(document, &mut seen));
    check(&state(), &mut seen);
    served().iter().for_each(|document| check(document, &mut seen));
    apmatrix_in(at, &["ls", "--root", "sys", "--html", "ls.html"]).ok();
    check(&inside(&at.join("ls.html")), &mut seen);
    // The table of the series takes long; the command's own tests look at its document.
    seen.insert("v12");
    assert_eq!(seen, PRINTED.iter().map(|(name, ..)| *name).collect());
}

/// The document that stands in a page.
fn inside(page: &Path) -> Value {
    let text = fs::read_to_string(page).expect("a page");
    let start = text.split("id=\"frozen\">").nth(1).expect("it has a document");
    serde_json::from_str(start.split("</script>").next().expect("its end")).expect("JSON")
}

/// What a server sends: every document that it has.
fn served() -> Vec<Value> {
    let (mut child, address) = started::serve(&["--machine", "tiny", "--operate"]);
    let ask = |request: &str, body: &str| {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a timeout");
        let length = body.len();
        let head = format!(
            "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n"
        );
        let head = format!("{head}Content-Type: application/json\r\n\r\n{body}");
        stream.write_all(head.as_bytes()).expect("it is read");
        BufReader::new(stream)
    };
    let document = |request: &str, body: &str| -> Value {
        let lines = ask(request, body).lines().map(|line| line.expect("text"));
        let found = lines.filter(|line| line.starts_with('{')).last();
        serde_json::from_str(&found.expect("a document")).expect("JSON")
    };
    let events = ask("GET /api/events", "").lines();
    let mut events = events.filter_map(|line| Some(line.expect("text").strip_prefix("data: ")?.to_owned()));
    let mut next = || serde_json::from_str(&events.next().expect("an event")).expect("JSON");
    let documents = vec![
        next(),
        document("GET /api/state", ""),
        document("GET /api/why?select=0a.0006", ""),
        document("GET /api/find?text=cex7c", ""),
        document("POST /api/operate", "{\"line\": \"echo 0 > /sys/devices/ap/card04/04.0006/online\"}"),
        next(),
    ];
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    documents
}

/// The control file `state` of a booted machine.
fn state() -> Value {
    let mut session = boot(&MachineFile::load("tiny").expect("a machine")).expect("it boots");
    let entry = session.resolve_following("/sys/kernel/debug/apmatrix/state").expect("it is there");
    match session.show(entry.ino) {
        Called::Done(Ok(text)) => serde_json::from_slice(&text).expect("a document"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_read_has_a_schema_with_its_name() {
    let title = |schema: &str| serde_json::from_str::<Value>(schema).expect("JSON")["title"].clone();
    let titles = [
        title(&ap_files::desired::schema()),
        title(&ap_files::machine::schema()),
        title(&ap_files::scenario::schema()),
    ];
    assert_eq!(titles, READ.map(|name| format!("apmatrix.{name}/1")));
}

/// What `apmatrix schema` says of a document is what is printed: the keys that are always there, and those that may be.
#[test]
fn h17_each_document_and_each_file_has_a_schema() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let names: BTreeSet<String> = apmatrix_in(directory.path(), &["schema"])
        .ok()
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split(' ').next().expect("a name").to_owned())
        .collect();
    let known = PRINTED.iter().map(|(name, ..)| *name).chain(READ).chain(TAKEN).chain(KEPT);
    assert_eq!(names, known.map(str::to_owned).collect());
    for (name, always, sometimes) in PRINTED {
        let schema = printed(directory.path(), &["schema", name]);
        assert_eq!(schema["title"], format!("apmatrix.{name}/1"));
        let keys = |value: &Value| -> BTreeSet<String> {
            match value {
                Value::Object(map) => map.keys().cloned().collect(),
                Value::Array(list) => list.iter().map(|v| v.as_str().expect("a key").to_owned()).collect(),
                _ => BTreeSet::new(),
            }
        };
        let own = |list: &[&str]| list.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
        let schema_key = own(&["schema"]);
        assert_eq!(keys(&schema["required"]), &own(always) | &schema_key, "{name}: always");
        assert_eq!(
            keys(&schema["properties"]),
            &(&own(always) | &own(sometimes)) | &schema_key,
            "{name}: all"
        );
    }
    for name in READ.into_iter().chain(TAKEN) {
        let whole = format!("apmatrix.{name}/1");
        assert_eq!(printed(directory.path(), &["schema", &whole])["title"], whole);
    }
    let ran = apmatrix_in(directory.path(), &["schema", "machin"]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("did you mean `machine`?"), "{}", ran.err);
}
