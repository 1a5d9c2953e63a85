//! The clients, run inside.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::support::{client, pid};

const DEVICES: &str = "/sys/devices/test";
const LINKS: &str = "/sys/bus/test/devices";

pub fn be(arguments: &[String]) {
    match arguments.first().map_or("", String::as_str) {
        "writers" => writers(),
        "writer" => writer(&arguments[1]),
        "rounds" => rounds(),
        "reader" => reader(),
        "second" => second(),
        "listing" => listing(),
        "dying" => dying(),
        "waiter" => drop(store("/sys/bus/test/wait", "1")),
        "panics" => panics(),
        "memory" => memory(),
        "churn" => churn(),
        "churner" => churner(&arguments[1]),
        other => panic!("no client {other}"),
    }
}

fn store(path: impl AsRef<Path>, text: &str) -> Result<(), i32> {
    let written =
        OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| error.raw_os_error().unwrap_or(0))
}

fn start(name: &str, argument: &str) -> Child {
    let line = client(name, &[argument]);
    Command::new(&line[0]).args(&line[1..]).stdin(Stdio::null()).spawn().expect("a client")
}

fn names(directory: &str) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect(directory).flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn writers() {
    let children: Vec<Child> = (0..64).map(|number| start("writer", &number.to_string())).collect();
    let wrong: i32 =
        children.into_iter().map(|mut child| child.wait().ok().and_then(|s| s.code()).unwrap_or(100)).sum();
    println!("6400 writes, {wrong} wrong");
}

/// A hundred writes, each with its right answer; the exit status is the number of wrong ones.
fn writer(number: &str) {
    let mut wrong = 0;
    for round in 0..20 {
        let name = format!("w{number}-{round}");
        let is = [
            store("/sys/bus/test/rw", "1\n"),
            store("/sys/bus/test/fail", "EBUSY"),
            store("/sys/bus/test/create", &name),
            store("/sys/bus/test/create", &name),
            store(format!("{DEVICES}/{name}/remove"), "1"),
        ];
        let should = [Ok(()), Err(libc::EBUSY), Ok(()), Err(libc::EEXIST), Ok(())];
        wrong += is.iter().zip(&should).filter(|(is, should)| is != should).count();
    }
    std::process::exit(wrong as i32);
}

fn rounds() {
    let mut readers: Vec<Child> = (0..4).map(|_| start("reader", "")).collect();
    let mut stale = 0;
    for round in 0..300 {
        let name = format!("r{}", round % 7);
        let path = format!("{DEVICES}/{name}");
        store("/sys/bus/test/create", &name).expect("create");
        let there = Path::new(&path).join("value").exists() && Path::new(LINKS).join(&name).exists();
        let listed = names(DEVICES).contains(&name) && names(LINKS).contains(&name);
        let mut open = File::open(format!("{path}/value")).expect("value");
        store(format!("{path}/remove"), "1").expect("remove");
        let gone =
            !Path::new(&path).exists() && std::fs::symlink_metadata(Path::new(LINKS).join(&name)).is_err();
        let unlisted = !names(DEVICES).contains(&name) && !names(LINKS).contains(&name);
        let dead = open.read(&mut [0; 9]).is_err_and(|error| error.raw_os_error() == Some(libc::ENODEV));
        if !(there && listed && gone && unlisted && dead) {
            eprintln!("round {round}: {there} {listed} {gone} {unlisted} {dead}");
            stale += 1;
        }
    }
    for reader in &mut readers {
        assert!(reader.try_wait().expect("a reader").is_none(), "a reader ended");
        reader.kill().expect("kill");
        reader.wait().expect("its end");
    }
    println!("300 rounds, {stale} stale");
}

/// Reads all there is, for ever; what goes while it is read may be absent, and nothing else.
fn reader() {
    loop {
        for directory in [DEVICES, LINKS] {
            for name in names(directory) {
                let path = format!("{directory}/{name}");
                let Ok(entries) = std::fs::read_dir(&path) else { continue };
                for entry in entries.flatten() {
                    match std::fs::read(entry.path()) {
                        Ok(_) => {}
                        Err(error) => match error.raw_os_error() {
                            Some(libc::ENOENT | libc::ENODEV | libc::EACCES | libc::EISDIR) => {}
                            _ => panic!("{}: {error}", entry.path().display()),
                        },
                    }
                }
            }
        }
    }
}

/// Two make one device at the same time: the second is told that it is there already, and so must find it.
fn second() {
    let (rounds, mut seconds, mut stale) = (500, 0, 0);
    for round in 0..rounds {
        let name = format!("s{round}");
        // The old listing is in the kernel's cache.
        names(DEVICES);
        let start = std::sync::Barrier::new(2);
        let make = || {
            start.wait();
            let made = store("/sys/bus/test/create", &name);
            (made, names(DEVICES).contains(&name))
        };
        let both = std::thread::scope(|scope| {
            let other = scope.spawn(make);
            [make(), other.join().expect("it does not panic")]
        });
        for (made, listed) in both {
            seconds += usize::from(made == Err(libc::EEXIST));
            stale += usize::from(!listed);
        }
        store(format!("{DEVICES}/{name}/remove"), "1").expect("remove");
    }
    println!("{}, {stale} stale", if seconds == rounds { "all told" } else { "some not told" });
}

/// A directory of many blocks is read while entries come and go: those that stay are seen once each.
fn listing() {
    for number in 0..400 {
        store("/sys/bus/test/create", &format!("stays{number}")).expect("create");
    }
    let mut wrong = 0;
    for round in 0..40 {
        let mut seen = Vec::new();
        for (at, entry) in std::fs::read_dir(DEVICES).expect("the directory").flatten().enumerate() {
            if at % 50 == round % 50 {
                let name = format!("goes{round}-{at}");
                store("/sys/bus/test/create", &name).expect("create");
                store(format!("{DEVICES}/{name}/remove"), "1").expect("remove");
            }
            seen.push(entry.file_name());
        }
        seen.retain(|name| name.to_string_lossy().starts_with("stays"));
        let count = seen.len();
        seen.sort();
        seen.dedup();
        wrong += usize::from(count != 400 || seen.len() != 400);
    }
    println!("listed, {wrong} wrong");
}

fn dying() {
    let waiters: Vec<Child> = (0..20).map(|_| start("waiter", "")).collect();
    std::thread::sleep(Duration::from_millis(150));
    let mut died = 0;
    for mut waiter in waiters {
        assert!(waiter.try_wait().expect("a waiter").is_none(), "it does not wait");
        rustix::process::kill_process(pid(&waiter), rustix::process::Signal::KILL).expect("kill");
        waiter.wait().expect("its end");
        died += 1;
    }
    store("/sys/bus/test/let_go", "1").expect("letting go of nobody");
    println!("{died} died, then {}", if store("/sys/bus/test/rw", "1\n").is_ok() { "ok" } else { "broken" });
}

fn panics() {
    let errors = (0..100).filter(|round| match round % 2 {
        0 => store("/sys/bus/test/panic", "1") == Err(libc::EIO),
        _ => std::fs::read("/sys/bus/test/panic").is_err_and(|error| error.raw_os_error() == Some(libc::EIO)),
    });
    let count = errors.count();
    println!("{count} EIO, then {}", if store("/sys/bus/test/rw", "1\n").is_ok() { "ok" } else { "broken" });
}

/// Makes, opens, changes and removes devices; says when 2,000 are done, and waits until that is seen.
fn memory() {
    for round in 0..8000 {
        let name = format!("m{round}");
        store("/sys/bus/test/create", &name).expect("create");
        let path = format!("{DEVICES}/{name}");
        std::fs::set_permissions(
            format!("{path}/value"),
            std::os::unix::fs::PermissionsExt::from_mode(0o600),
        )
        .expect("chmod");
        let open = File::open(format!("{path}/value")).expect("value");
        store(format!("{path}/remove"), "1").expect("remove");
        drop(open);
        if round % 2000 == 1999 {
            println!("{}", round + 1);
            std::io::stdin().read_exact(&mut [0]).expect("a word");
        }
    }
}

fn churn() {
    let _churners: Vec<Child> = (0..4).map(|number| start("churner", &number.to_string())).collect();
    println!("churning");
    reader();
}

fn churner(number: &str) {
    loop {
        let _ = store("/sys/bus/test/create", &format!("c{number}"));
        let _ = names(DEVICES);
        let _ = store(format!("{DEVICES}/c{number}/remove"), "1");
    }
}
