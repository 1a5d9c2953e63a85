//! Trees that were recorded of the real driver code, as archives: imported, booted, imported again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::path::Path;

use ap_apply::import::import;
use ap_files::{MachineFile, boot};
use apmatrix::plan::host::Host;
use serde_json::Value;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/transcripts.tar.xz");

/// A recorded tree, by path.
type Recorded = BTreeMap<String, Value>;

/// The recorded trees of a transcript: each time that the bus, the devices and vfio_ap were listed one after the other.
fn trees(text: &str) -> Vec<Recorded> {
    let (mut found, mut now) = (Vec::new(), Recorded::new());
    for line in text.lines() {
        let operation: Value = serde_json::from_str(line).expect("a line of JSON");
        match (operation["op"].as_str(), operation["path"].as_str()) {
            (Some("tree"), Some(path)) => {
                if path == "/sys/bus/ap" {
                    now.clear();
                }
                let entries = operation["entries"].as_object().expect("entries");
                now.extend(entries.iter().map(|(path, entry)| (path.clone(), entry.clone())));
                if path == "/sys/devices/vfio_ap" && now.contains_key("/sys/bus/ap/apmask") {
                    found.push(now.clone());
                }
            }
            // The bus is read before, notes are for people.
            (Some("stat" | "note" | "dump"), _) => {}
            _ => now.clear(),
        }
    }
    found
}

/// Packs a recorded tree as a collector would.
fn archive(tree: &Recorded, to: &Path) {
    let mut builder = tar::Builder::new(File::create(to).expect("a file"));
    for (path, entry) in tree {
        let name = path.trim_start_matches('/');
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        if let Some(link) = entry["link"].as_str() {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            builder.append_link(&mut header, name, link).expect("a link");
        } else if entry["dir"] == true {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            builder.append_data(&mut header, format!("{name}/"), std::io::empty()).expect("a directory");
        } else if let Some(text) = entry["data"].as_str() {
            header.set_size(text.len() as u64);
            builder.append_data(&mut header, name, text.as_bytes()).expect("a file");
        }
    }
    builder.finish().expect("an archive");
}

#[test]
fn recorded_trees_import_and_boot_as_the_same_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("sys.tar");
    let unpacked =
        lzma_rust2::XzReader::new(BufReader::new(File::open(DATA).expect("the transcripts")), true);
    let mut transcripts = tar::Archive::new(unpacked);
    let (mut used, mut without) = (Vec::new(), Vec::new());
    for entry in transcripts.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a path").display().to_string();
        let name = name.trim_start_matches("./").trim_end_matches(".jsonl").to_owned();
        if !name.starts_with("boot-") {
            continue;
        }
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("text");
        let found: Vec<Recorded> =
            trees(&text).into_iter().filter(|tree| tree["/sys/bus/ap/apmask"]["data"].is_string()).collect();
        if found.is_empty() {
            without.push(name);
            continue;
        }
        for tree in &found {
            archive(tree, &path);
            let imported =
                Host::Archive(path.clone()).read().unwrap_or_else(|error| panic!("{name}: {error}"));
            let first = imported.machine.to_text();
            let machine = MachineFile::parse("first.toml", &first);
            let machine =
                machine.unwrap_or_else(|error| panic!("{name}: {error}: {}\n{first}", error.expected()));
            let mut session = boot(&machine).unwrap_or_else(|error| panic!("{name}: {error}"));
            let again = import(&mut session).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(again.machine.to_text(), first, "{name}");
        }
        used.push(format!("{name} ({})", found.len()));
    }
    println!("recorded trees: {}", used.join(", "));
    println!("without contents or without a bus: {}", without.join(", "));
    assert!(used.len() >= 5, "{used:?}");
    fs::remove_file(path).expect("it was there");
}
