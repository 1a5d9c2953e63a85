//! What a second round of recordings corrected: a test for each row of page 6, with its neighbours. (The recordings
//! themselves are replayed elsewhere.)

mod asking;
mod mdevs;
mod modules;
mod queues;
mod secure;
#[path = "../support/mod.rs"]
mod support;

/// An EP11 adapter with two queues in a Secure Execution guest.
const SECURE: &str =
    "hw qci flags=0xc0800000\nhw opt se=1\nhw ap 3 type=14 mode=ep11\nhw apm 3\nhw aqm 6,71\n";
