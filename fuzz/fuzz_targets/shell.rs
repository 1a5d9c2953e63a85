//! Shell text of any kind against a small tree: no panic, no endless run.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| ap_shell::fuzz_entry(data));
