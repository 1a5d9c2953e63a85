//! Every recorded transcript of the real driver, on a machine of ours.

use std::path::{Path, PathBuf};

use ap_files::transcript::TranscriptError;
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
    let rows = include_str!("../../../../docs/deviations.md");
    let (mut count, mut found) = (0, Vec::new());
    Input::Archive(data("second.tar.xz"))
        .each::<TranscriptError>(&mut |name, lines| {
            count += 1;
            let differs = match replay(name, lines, &mut InProcess::new(), Options::default()) {
                Ok(result) => result.differences.first().map(|difference| difference.at),
                // A line that is none of an operation that we know: it is one further than its operation's number.
                Err(ReplayError::Input(error)) => error.line.map(|line| line as u64 - 1),
                Err(ReplayError::Target(error)) => panic!("{name}: {error}"),
            };
            found.extend(differs.map(|at| (name.to_owned(), at)));
            Ok(())
        })
        .expect("the archive is readable");
    let mut expected = DIFFER.map(|(name, at, _)| (name.to_owned(), at));
    expected.sort();
    found.sort();
    assert_eq!((count, found), (38, expected.to_vec()));
    for (name, at, row) in DIFFER {
        let row = rows.lines().find(|line| line.starts_with(&format!("| {row} |")));
        assert!(row.is_some_and(|row| row.contains(&format!("`{name}:{at}`"))), "{name}:{at}: {row:?}");
    }
}
