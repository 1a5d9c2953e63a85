//! The whole tree, compared with a snapshot, which the code before the table of directories gave.
//!
//! Whoever adds a file or a directory writes the snapshot anew, and looks at what is different:
//! `WRITE=1 cargo test -p ap-sysfs --test tree; git diff`.

#[path = "support/census.rs"]
mod census;

#[test]
fn the_tree_shows_what_it_showed() {
    let expected = include_str!("data/tree.txt");
    let got = census::stages();
    if std::env::var_os("WRITE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tree.txt");
        return std::fs::write(path, got).expect("the snapshot can be written");
    }
    let differ = got.lines().zip(expected.lines()).enumerate().find(|(_, (got, expected))| got != expected);
    if let Some((number, (got, expected))) = differ {
        panic!("line {}:\n  now      {got}\n  expected {expected}", number + 1);
    }
    assert_eq!(got.lines().count(), expected.lines().count());
}
