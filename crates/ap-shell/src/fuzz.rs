//! The entry for fuzzing takes any bytes as a script. It uses the crate as others do.

use ap_sysfs::Errno;

use crate::fake::{FakeOperator, FakeTree, FakeWorld, OnStore};
use crate::parse::parse;
use crate::shell::Shell;
use crate::task::run_task;

/// What a script of a fuzzer may do.
const BUDGET: u64 = 20_000;

/// Parses `data` as a script and, if it is one, runs it on a small tree in memory, as a script and as a task.
///
/// Nothing may come of it but an answer in bounded time.
pub fn fuzz_entry(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(script) = parse(&text, "fuzz") else { return };
    let _ = script.unknown_commands();
    let mut shell = Shell::new(small());
    shell.set_budget(BUDGET);
    let mut printed = 0usize;
    shell.run(&script, &mut |_, text| printed += text.len());
    shell.notify(&mut |_, text| printed += text.len());
    // A task has the whole budget; short texts cannot use it up.
    if data.len() < 200 && !text.contains("for") {
        let _ = run_task(&script, &mut small()).name();
    }
}

fn small() -> FakeWorld {
    let mut tree = FakeTree::default();
    tree.file("/sys/a/keep", 0o644, "text\n", OnStore::Keep);
    tree.file("/sys/a/ro", 0o444, "a b\n", OnStore::Keep);
    tree.file("/sys/a/wo", 0o200, "", OnStore::Fail(Errno::EBUSY));
    tree.file("/sys/b/wait", 0o200, "", OnStore::Wait);
    tree.file("/sys/b/short", 0o644, "*", OnStore::Short(7));
    tree.link("/sys/b/link", "../a");
    tree.link("/sys/b/loop", "loop");
    FakeWorld::with_operator(tree, FakeOperator::default())
}
