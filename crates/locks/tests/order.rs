//! Wrong orders don't compile, and say so in words of our own.
//!
//! Each program's error text is pinned: a program that fails for another reason fails the test. To renew the texts
//! after a change of the compiler: `TRYBUILD=overwrite cargo test -p apmatrix-locks --test order`, and read the difference.

#[test]
fn wrong_orders_do_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/order/right.rs");
    cases.compile_fail("tests/order/perms_under_mdevs.rs");
    cases.compile_fail("tests/order/guests_under_mdevs.rs");
    cases.compile_fail("tests/order/device_under_perms.rs");
    cases.compile_fail("tests/order/two_guests_at_once.rs");
    cases.compile_fail("tests/order/outer_while_inner_guard_lives.rs");
    cases.compile_fail("tests/order/try_lock_out_of_order.rs");
    cases.compile_fail("tests/order/rwlock_out_of_order.rs");
    cases.compile_fail("tests/order/signature_says_too_little.rs");
    cases.compile_fail("tests/order/token_leaves_its_task.rs");
    cases.compile_fail("tests/order/level_named_twice.rs");
}
