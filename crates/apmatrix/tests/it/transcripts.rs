//! Every recorded transcript of the real driver, on a machine of ours.

use std::path::{Path, PathBuf};

use ap_files::transcript::{Lines, TranscriptError};
use ap_task::Kernel;
use apmatrix::replay::{InProcess, Input, Options, ReplayError, replay};

/// Where a transcript of the second round and we differ on purpose: its name, the first operation that differs, and
/// the row of `docs/deviations.md` that says why, with that operation as witness.
const DIFFER: [(&str, u64, &str); 5] = [
    ("F08-request-interrupt-outlives-close", 19, "DEV-015"),
    ("F14-unload-ap", 16, "DEV-016"),
    ("N3", 20, "DEV-005"),
    ("N13-endless-reset", 21, "DEV-017"),
    ("N24-serialnr-against-scan-deadlock", 14, "DEV-011"),
];

/// The same of the third round, the recordings of Linux 6.18, 6.19 and 7.1.
const DIFFER_NEWER: [(&str, u64, &str); 24] = [
    ("k71-old-F08-request-interrupt-outlives-close", 19, "DEV-015"),
    ("k619-11-N26-0", 26, "DEV-018"),
    ("k71-03-boot-masks-4", 50, "DEV-018"),
    ("k71-11-N26-0", 26, "DEV-018"),
    ("k71-11-N26-1", 26, "DEV-018"),
    ("k71-11-N26-4", 26, "DEV-018"),
    ("k71-11-N26-6", 24, "DEV-018"),
    ("k71-11-N26-7", 35, "DEV-018"),
    ("k71-29-N26-two-guests", 33, "DEV-018"),
    ("k619-16-N25-bind", 24, "DEV-019"),
    ("k619-16-N25-plug", 26, "DEV-019"),
    ("k619-16-N25-unplug-plug", 24, "DEV-019"),
    ("k71-16-N25-adm", 24, "DEV-019"),
    ("k71-16-N25-bind", 24, "DEV-019"),
    ("k71-16-N25-override", 34, "DEV-019"),
    ("k71-16-N25-plug", 26, "DEV-019"),
    ("k71-16-N25-unbind-bind", 23, "DEV-019"),
    ("k71-16-N25-unplug-plug", 24, "DEV-019"),
    ("k619-m-04-unplugged-with-override", 16, "DEV-020"),
    ("k71-08-unplug-with-override-0", 18, "DEV-020"),
    ("k71-08-unplug-with-override-1", 18, "DEV-020"),
    ("k71-08-unplug-with-override-2", 18, "DEV-020"),
    ("k71-08-unplug-with-override-3", 18, "DEV-020"),
    ("k71-m-04-unplugged-with-override", 16, "DEV-020"),
];

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

#[test]
fn all_transcripts_pass() {
    let archive = data("transcripts.tar.xz");
    let out = crate::common::apmatrix(&["replay", archive.to_str().expect("a path that is text")]).ok();
    assert!(out.ends_with("470 passed, 0 failed\n"), "{out}");
}

#[test]
fn the_second_round_passes_up_to_where_we_differ_on_purpose() {
    pass_up_to("second.tar.xz", 38, &DIFFER);
}

#[test]
fn the_newer_kernels_pass_up_to_where_we_differ_on_purpose() {
    pass_up_to("third.tar.xz", 216 + 35, &DIFFER_NEWER);
}

/// Each transcript of an archive passes but for those that are named, and these up to the operation that is a witness
/// of their row.
fn pass_up_to(archive: &str, files: usize, differ: &[(&str, u64, &str)]) {
    let rows = include_str!("../../../../docs/deviations.md");
    let (mut count, mut found) = (0, Vec::new());
    Input::Archive(data(archive))
        .each::<TranscriptError>(&mut |name, lines| {
            count += 1;
            let mut machine = InProcess::new(lines.kernel()?);
            let differs = match replay(name, lines, &mut machine, Options::default()) {
                Ok(result) => result.differences.first().map(|difference| difference.at),
                Err(ReplayError::Input(error)) => return Err(error),
                Err(ReplayError::Target(error)) => panic!("{name}: {error}"),
            };
            found.extend(differs.map(|at| (name.to_owned(), at)));
            Ok(())
        })
        .expect("the archive is readable");
    let mut expected: Vec<_> = differ.iter().map(|(name, at, _)| ((*name).to_owned(), *at)).collect();
    expected.sort();
    found.sort();
    assert_eq!((count, found), (files, expected));
    for (name, at, row) in differ {
        let row = rows.lines().find(|line| line.starts_with(&format!("| {row} |")));
        assert!(row.is_some_and(|row| row.contains(&format!("`{name}:{at}`"))), "{name}:{at}: {row:?}");
    }
}

#[test]
fn tool_a_recorder_without_a_log_of_instructions() {
    let machine = "{\"i\":0,\"op\":\"hw\",\"cmd\":\"opt log=0\",\"errno\":0}";
    let modules = ["ap", "mdev", "vfio_ap"].map(|module| {
        format!("{{\"i\":{},\"op\":\"insmod\",\"module\":\"{module}\",\"errno\":0}}", 1 + module.len())
    });
    let [ap, mdev, vfio_ap] = modules.each_ref().map(String::as_str);
    let create = "{\"i\":20,\"op\":\"write\",\"path\":\"/sys/devices/vfio_ap/matrix/mdev_supported_types/\
                  vfio_ap-passthrough/create\",\"data\":\"a0000000-0000-4000-8000-000000000001\\u00ff\",\"errno\":0}";
    let guest = |i: u64, rest: &str| {
        format!("{{\"i\":{i},\"op\":\"guest\",\"uuid\":\"a0000000-0000-4000-8000-000000000001\",{rest}}}")
    };
    let none = guest(21, "\"cmd\":\"evcount\",\"errno\":\"ENOENT\",\"count\":0");
    let open = guest(22, "\"cmd\":\"open\",\"guest\":\"g\",\"errno\":0");
    let link = "{\"i\":23,\"op\":\"stat\",\"path\":\"/sys/class/mdev_bus/matrix\",\"errno\":0,\"mode\":\"120777\",\"size\":0}";
    // Uevents and log lines are none of what this is about.
    let lines = [machine, ap, mdev, vfio_ap, create, &none, &open, link];
    let text = lines.join("\n");
    let mut target = InProcess::new(Kernel::default());
    let lines = Lines::new("boot-wide".into(), Box::new(std::io::Cursor::new(text)));
    let options = Options { keep_going: true };
    let result = replay("boot-wide", lines, &mut target, options).expect("it is a transcript");
    let fields: Vec<(u64, &str)> =
        result.differences.iter().map(|difference| (difference.at, difference.field.as_str())).collect();
    assert_eq!(
        fields,
        [(8, "dmesg[0]"), (20, "dmesg[0]")],
        "nothing of hwlog, of bytes, of evcount, of links"
    );
}
