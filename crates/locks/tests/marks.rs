//! Looks and marks that would say less than what counts don't compile, each for the reason that is pinned here.
//!
//! To renew the texts after a change of the compiler: `TRYBUILD=overwrite cargo test -p apmatrix-locks --test marks`, and read
//! the difference. What compiles all the same is noticed when it is explored (`crates/explore/tests/marks.rs`).

#[test]
fn wrong_looks_and_marks_do_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/marks/look_keeps_something.rs");
    cases.compile_fail("tests/marks/look_changes_something.rs");
    cases.compile_fail("tests/marks/look_gives_a_reference.rs");
    cases.compile_fail("tests/marks/look_takes_a_lock.rs");
    cases.compile_fail("tests/marks/kept_is_reached.rs");
    cases.compile_fail("tests/marks/mark_leaves.rs");
    cases.compile_fail("tests/marks/mark_inside_a_look.rs");
    cases.compile_fail("tests/marks/mark_in_another_task.rs");
}
