//! Every recorded transcript of the real driver, on a machine of ours.

use std::path::Path;

#[test]
fn all_transcripts_pass() {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts.tar.xz");
    let out = crate::common::apmatrix(&["replay", archive.to_str().expect("a path that is text")]).ok();
    assert!(out.ends_with("470 passed, 0 failed\n"), "{out}");
}
