//! Machine files: a text is a machine or an error with a place; a machine boots.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(machine) = ap_files::MachineFile::parse("fuzz.toml", text)
        && machine.queue_count() <= 512
    {
        let _ = ap_files::boot(&machine).map(|mut session| {
            use ap_sysfs::Filesystem;
            session.advance(1000);
        });
    }
});
