//! The key `kernel` of machine files. (Specification, page 7.)

use ap_files::{KernelChoice, MachineFile};
use ap_task::Flag;

fn machine(kernel: &str) -> Result<KernelChoice, String> {
    let text = format!("schema = \"apmatrix.machine/1\"\nkernel = {kernel}\n");
    MachineFile::parse("m.toml", &text).map(|machine| machine.kernel).map_err(|error| {
        assert_eq!((error.file(), error.line()), ("m.toml", Some(2)));
        format!("{error}; {}; {}", error.expected(), error.hint().unwrap_or_default())
    })
}

#[test]
fn kernels_by_number_and_by_flags() {
    assert_eq!(machine("\"7.1\"").unwrap().to_string(), "7.1");
    let choice = machine("\"6.16\"").unwrap();
    assert_eq!(choice.to_string(), "6.18 (for 6.16)");
    assert_eq!(choice.taken().unwrap(), "Linux 6.16 behaves as 6.18 here, which is taken");
    let choice = machine("{ base = \"6.12\", driver-override = true }").unwrap();
    assert!(choice.kernel.has(Flag::DriverOverride) && !choice.kernel.has(Flag::ConfigIrq));
    assert_eq!(choice.to_string(), "6.12 with driver-override");
    assert_eq!(machine("{ raw-depth = true }").unwrap().to_string(), "6.12 with raw-depth");
}

#[test]
fn mistakes_name_the_place_and_what_there_is() {
    for (kernel, says) in [
        ("\"5.4\"", "unknown kernel `5.4`"),
        ("{ base = \"6\" }", "unknown kernel `6`"),
        ("{ driver-overide = true }", "did you mean `driver-override`?"),
        ("{ driver-override = 1 }", "expected true or false"),
        ("7", "a version like \"7.1\""),
    ] {
        let error = machine(kernel).unwrap_err();
        assert!(error.contains(says), "{kernel}: {error}");
    }
}
