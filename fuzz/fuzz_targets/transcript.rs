//! Transcript lines: a line is an operation or an error; what parses is written down and parses again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for line in data.split(|byte| *byte == b'\n') {
        let _ = ap_files::transcript::Line::parse(line);
    }
});
