//! Serving the tests' tree, as a command line: `run [--cpu N] [--no-uevents] [--devices N] [--keep PATH] [-- CMD…]`
//! or `mount DIR`.

use std::ffi::OsString;

use ap_fuse::{MountOptions, RunOptions};
use ap_sysfs::Filesystem;

use super::tree::TestTree;

/// The first argument of a test program that is to serve.
pub const SERVE: &str = "serve-the-tree";
/// The first argument of a test program that is to be a client inside.
pub const CLIENT: &str = "be-a-client";

/// Does what the arguments say, and ends the process.
pub fn serve(arguments: Vec<OsString>) -> ! {
    let mut arguments = arguments.into_iter();
    let mode = arguments.next().unwrap_or_default();
    let (mut devices, mut directory) = (2, None);
    let mut options = RunOptions::default();
    while let Some(argument) = arguments.next() {
        let mut text = || arguments.next().and_then(|text| text.into_string().ok()).unwrap_or_default();
        match argument.to_str().unwrap_or_default() {
            "--cpu" => options.cpu = text().parse().ok(),
            "--devices" => devices = text().parse().unwrap_or(0),
            "--keep" => options.keep.push(text()),
            "--no-uevents" => options.uevents = false,
            "--" => options.command = arguments.by_ref().collect(),
            _ => directory = Some(argument),
        }
    }
    let tree = move || Box::new(TestTree::new(devices)) as Box<dyn Filesystem>;
    let done = match (mode.to_str(), directory) {
        (Some("mount"), Some(directory)) => {
            let mut mount = MountOptions::new(directory);
            mount.cpu = options.cpu;
            ap_fuse::mount(&mount, tree, || println!("mounted")).map(|()| 0)
        }
        (Some("run"), None) => ap_fuse::run(&options, tree).map(|ended| {
            ended.follow();
            ended.status()
        }),
        _ => {
            eprintln!(
                "run [--cpu N] [--devices N] [--keep PATH] [--no-uevents] [-- CMD…] or mount [--cpu N] DIR"
            );
            std::process::exit(2);
        }
    };
    std::process::exit(done.unwrap_or_else(|error| {
        eprintln!("test tree: {error}");
        error.exit_status()
    }));
}
