//! Safe code must not get the hook out of the closure: it would call it when it is gone.

#![forbid(unsafe_code)]

use locks::hook::{self, Hook};

fn kept() -> Option<&'static dyn Hook> {
    hook::with(|hook| hook)
}

fn kept_outside() {
    let mut kept: Option<&dyn Hook> = None;
    hook::with(|hook| kept = Some(hook));
    drop(kept);
}

fn main() {
    kept();
    kept_outside();
}
