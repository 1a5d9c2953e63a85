//! Serves the tests' tree: `test_tree run [--cpu N] [--no-uevents] [--devices N] [-- CMD…]` or `test_tree mount DIR`.

#[path = "../tests/support/tree.rs"]
mod tree;

use std::ffi::OsString;

use ap_fuse::{MountOptions, RunOptions};
use ap_sysfs::Filesystem;

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let mode = arguments.next().unwrap_or_default();
    let (mut devices, mut directory) = (2, None);
    let mut options = RunOptions::default();
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|n| n.to_str()?.parse().ok()).unwrap_or(0);
        match argument.to_str().unwrap_or_default() {
            "--cpu" => options.cpu = Some(number()),
            "--devices" => devices = number(),
            "--no-uevents" => options.uevents = false,
            "--" => options.command = arguments.by_ref().collect(),
            _ => directory = Some(argument),
        }
    }
    let tree = move || Box::new(tree::TestTree::new(devices)) as Box<dyn Filesystem>;
    let done = match (mode == "mount", directory) {
        (true, Some(directory)) => {
            let mut mount = MountOptions::new(directory);
            mount.cpu = options.cpu;
            ap_fuse::mount(&mount, tree, || eprintln!("mounted")).map(|()| 0)
        }
        (false, None) if mode == OsString::from("run") => ap_fuse::run(&options, tree),
        _ => {
            eprintln!("usage: test_tree run [--cpu N] [--devices N] [--no-uevents] [-- CMD…] | mount DIR");
            std::process::exit(2);
        }
    };
    std::process::exit(done.unwrap_or_else(|error| {
        eprintln!("test_tree: {error}");
        error.exit_status()
    }));
}
