//! Where in the source a checkpoint, a mark or a look stands.
//!
//! The hook is not told, so the stack is looked at: once, for a report that is about this place. Where the compiler left
//! a frame out (the call was the last thing that its function did), the place is that function's call. This module
//! knows nothing of executions.

use std::backtrace::Backtrace;

/// Gives the place in the source, `file:line`, of the code that called the crate `locks`, if the program was built with
/// what is needed to tell.
#[cold]
pub(crate) fn caller() -> Option<String> {
    first_beyond_hook(&Backtrace::force_capture().to_string())
}

/// Finds the first place beyond the hook's two ends: lines `at file:line:column`, the innermost first.
fn first_beyond_hook(backtrace: &str) -> Option<String> {
    let places = backtrace.lines().filter_map(|line| line.trim().strip_prefix("at "));
    let mut beyond = places.skip_while(|place| !of_hook(place));
    let place = beyond.find(|place| !of_hook(place) && !place.starts_with("/rustc/"))?;
    let (place, _column) = place.rsplit_once(':')?;
    Some(place.trim_start_matches("./").to_owned())
}

fn of_hook(place: &str) -> bool {
    ["/engine/conductor.rs:", "locks/src/"].iter().any(|part| place.contains(part))
}

#[cfg(test)]
mod tests {
    use super::first_beyond_hook;

    #[test]
    fn the_place_beyond_the_hook_is_found() {
        let backtrace = "   0: force_capture\n\
                         \x20            at /rustc/59807/library/std/src/backtrace.rs:300:5\n\
                         \x20  1: checkpoint\n\
                         \x20            at ./src/engine/conductor.rs:161:21\n\
                         \x20  2: checkpoint<closure>\n\
                         \x20            at /x/crates/locks/src/hook.rs:181:9\n\
                         \x20  3: scan\n\
                         \x20            at ./src/bus.rs:68:13\n\
                         \x20  4: install\n\
                         \x20            at /x/crates/locks/src/hook.rs:138:5\n";
        assert_eq!(first_beyond_hook(backtrace).as_deref(), Some("src/bus.rs:68"));
        let inlined =
            backtrace.replace("/x/crates/locks/src/hook.rs:181:9", "/rustc/59807/library/core/src/x.rs:1:1");
        assert_eq!(first_beyond_hook(&inlined).as_deref(), Some("src/bus.rs:68"));
        assert_eq!(first_beyond_hook("   0: scan\n             at ./src/bus.rs:68:13\n"), None);
        assert_eq!(first_beyond_hook("   0: checkpoint\n   1: scan\n   2: main\n"), None);
    }
}
