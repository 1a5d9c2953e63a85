//! Compares the tree with the machine's own sysfs, in one run: `bench [--cpu N] [--devices N] [--seconds S]`.
//!
//! Read and write are an open, one call, and a close; the median of five. The machine's own attribute is
//! `kernel/rcu_expedited`, which gets the value back that it has.

#[path = "../tests/support/tree.rs"]
mod tree;

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ap_fuse::RunOptions;
use ap_sysfs::Filesystem;

const OWN: &str = "/sys/kernel/rcu_expedited";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        arguments
            .iter()
            .position(|argument| argument == name)
            .and_then(|at| arguments.get(at + 1)?.parse::<f64>().ok())
    };
    let slice = Duration::from_secs_f64(value("--seconds").unwrap_or(0.4));
    if arguments.first().is_some_and(|argument| argument == "client") {
        return client(slice);
    }
    let own = std::env::current_exe().expect("our own path");
    let mut options = RunOptions::default();
    options.cpu = value("--cpu").map(|cpu| cpu as usize);
    options.command =
        vec![own.into(), "client".into(), "--seconds".into(), slice.as_secs_f64().to_string().into()];
    options.keep = vec!["kernel/rcu_expedited".to_owned()];
    let devices = value("--devices").unwrap_or(5440.0) as usize;
    match ap_fuse::run(&options, move || Box::new(tree::TestTree::new(devices)) as Box<dyn Filesystem>) {
        Ok(ended) => std::process::exit(ended.status()),
        Err(error) => {
            eprintln!("bench: {error}");
            std::process::exit(error.exit_status());
        }
    }
}

fn client(slice: Duration) {
    let own = std::fs::read(OWN).expect("the machine's own attribute");
    println!("{:24} {:>12} {:>12} {:>7}", "per second", "own sysfs", "the tree", "ratio");
    for (what, operation) in [("open+read+close", read as fn(&Path, &[u8])), ("open+write+close", write)] {
        let mut rates: [Vec<f64>; 2] = Default::default();
        // In turns, so that a disturbance hits both.
        for _ in 0..5 {
            for (rate, path) in rates.iter_mut().zip([OWN, "/sys/bus/test/rw"]) {
                rate.push(per_second(slice, || operation(Path::new(path), &own)));
            }
        }
        let [real, ours] = rates.map(|mut rate| {
            rate.sort_by(f64::total_cmp);
            rate[2]
        });
        println!("{what:24} {real:12.0} {ours:12.0} {:>7}", format!("1/{:.1}", real / ours));
    }
    for command in ["find /sys/devices/test /sys/bus/test", "ls -lR /sys/devices/test /sys/bus/test"] {
        for round in ["cold", "warm"] {
            let start = Instant::now();
            let out =
                Command::new("sh").arg("-c").arg(command).stderr(Stdio::inherit()).output().expect(command);
            let lines = out.stdout.iter().filter(|byte| **byte == b'\n').count();
            println!("{command:44} {round}: {lines} lines in {:.2} s", start.elapsed().as_secs_f64());
        }
    }
}

fn per_second(slice: Duration, mut operation: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut count = 0.0;
    while start.elapsed() < slice {
        for _ in 0..64 {
            operation();
        }
        count += 64.0;
    }
    count / start.elapsed().as_secs_f64()
}

fn read(path: &Path, _value: &[u8]) {
    let mut buffer = [0; 4096];
    let count = File::open(path).and_then(|mut file| file.read(&mut buffer)).expect("a read");
    assert!(count > 0);
}

fn write(path: &Path, value: &[u8]) {
    File::options().write(true).open(path).and_then(|mut file| file.write_all(value)).expect("a write");
}
