//! Rows on attributes that misbehave and on devices that come and go: what the tests' tree is made for.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use super::rows::said;

const BUS: &str = "/sys/bus/test";
const DEVICE: &str = "/sys/devices/test/new";

pub const EXPECTED: &[(&str, &str)] = &[
    ("errors come from write(2)", "EBUSY EADDRNOTAVAIL ERANGE ENODEV"),
    ("show runs once per open, and again at offset 0", "true true true"),
    ("a text as long as a page", "4096"),
    ("an empty text", "0"),
    ("a panic in show is one EIO", "EIO"),
    ("a panic in store is one EIO", "EIO"),
    ("and then all goes on", "ok"),
    ("what is made is there at once", "value"),
    ("and listed at once", "true true"),
    ("what exists can't be made", "EEXIST"),
    ("its link leads to it", "new"),
    ("its files are open when it goes", "ok"),
    ("reading them from the start", "ENODEV"),
    ("reading on", "ENODEV"),
    ("writing them", "ENODEV"),
    ("what is gone is gone at once", "ENOENT ENOENT ENOENT"),
    ("and not listed", "false false"),
    ("a directory that is gone", "ENOENT"),
    ("what comes again is another one", "true new"),
    ("a store that waits holds up nobody", "ok, waits: true"),
    ("nor another writer", "ok"),
    ("and gets its answer", "ok"),
    ("a show that waits", "at last"),
    ("background work is done in time", "true true"),
];

pub fn print() {
    let mut rows = EXPECTED.iter();
    let mut say = |text: String| {
        let (name, _) = rows.next().expect("a row");
        println!("{name}: {text}");
    };
    attributes(&mut say);
    comes_and_goes(&mut say);
    waits(&mut say);
    say(work());
}

fn store(path: impl AsRef<Path>, text: &str) -> std::io::Result<String> {
    OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes()).map(|()| "ok".to_owned())
}

fn show(path: impl AsRef<Path>) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.read_to_string(&mut text)?;
    Ok(text.trim_end().to_owned())
}

fn attribute(name: &str) -> String {
    format!("{BUS}/{name}")
}

fn names(directory: &str) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn attributes(say: &mut impl FnMut(String)) {
    let errors = ["EBUSY", "EADDRNOTAVAIL\n", "ERANGE", "ENODEV"];
    say(errors
        .map(|errno| match said(store(attribute("fail"), errno)) {
            // One that the rows have no name for.
            text if text == "errno 99" => "EADDRNOTAVAIL".to_owned(),
            text => text,
        })
        .join(" "));
    say(said((|| {
        let mut file = File::open(attribute("count"))?;
        let read = |file: &mut File, rest: bool| -> std::io::Result<String> {
            let (mut text, mut byte) = (String::new(), [0]);
            if rest {
                file.read_to_string(&mut text)?;
            } else if file.read(&mut byte)? == 1 {
                text.push(char::from(byte[0]));
            }
            Ok(text)
        };
        let first = [read(&mut file, false)?, read(&mut file, true)?].concat();
        file.seek(SeekFrom::Start(0))?;
        let second = read(&mut file, true)?;
        let third = show(attribute("count"))?;
        let number = |text: &str| text.trim().parse::<u32>().unwrap_or(0);
        let first = number(&first);
        Ok(format!("{} {} {}", first > 0, number(&second) == first + 1, number(&third) == first + 2))
    })()));
    say(said(std::fs::read(attribute("page")).map(|text| text.len().to_string())));
    say(said(std::fs::read(attribute("empty")).map(|text| text.len().to_string())));
    say(said(show(attribute("panic"))));
    say(said(store(attribute("panic"), "1")));
    say(said(store(attribute("rw"), "0\n")));
}

fn comes_and_goes(say: &mut impl FnMut(String)) {
    let (devices, links) = ("/sys/devices/test", "/sys/bus/test/devices");
    // Both listings are in the kernel's cache.
    assert!(names(devices).len() + names(links).len() > 0);
    assert!(std::fs::metadata(DEVICE).is_err());
    let listed = |name: &str| format!("{} {}", has(devices, name), has(links, name));
    say(said(
        store(attribute("create"), "new")
            .and_then(|_| show(format!("{DEVICE}/value")))
            .map(|text| if text == "new" { "value".to_owned() } else { text }),
    ));
    say(listed("new"));
    say(said(store(attribute("create"), "new")));
    say(said(show(format!("{links}/new/value"))));

    let ino = std::fs::metadata(DEVICE).map(|metadata| std::os::unix::fs::MetadataExt::ino(&metadata));
    let mut fresh = File::open(format!("{DEVICE}/value")).expect("its value");
    let mut begun = File::open(format!("{DEVICE}/value")).expect("its value");
    begun.read_exact(&mut [0]).expect("a byte of it");
    let mut writer = OpenOptions::new().write(true).open(format!("{DEVICE}/value")).expect("its value");
    let directory = File::open(DEVICE).expect("its directory");
    say(said(store(format!("{DEVICE}/remove"), "1")));
    say(said(fresh.read(&mut [0; 16]).map(|count| count.to_string())));
    say(said(begun.read(&mut [0; 16]).map(|count| count.to_string())));
    say(said(writer.write(b"x").map(|count| count.to_string())));
    let gone = |path: String| said(std::fs::symlink_metadata(path).map(|_| "there".to_owned()));
    say([gone(DEVICE.to_owned()), gone(format!("{DEVICE}/value")), gone(format!("{links}/new"))].join(" "));
    say(listed("new"));
    let below =
        rustix::fs::openat(&directory, "value", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty());
    say(said(below.map(|_| "there".to_owned()).map_err(std::io::Error::from)));

    let again = store(attribute("create"), "new").and_then(|_| std::fs::metadata(DEVICE));
    let other = again.map(|metadata| Some(std::os::unix::fs::MetadataExt::ino(&metadata)) != ino.ok());
    say(format!("{} {}", other.unwrap_or(false), said(show(format!("{links}/new/value")))));
    store(format!("{DEVICE}/remove"), "1").expect("its removal");
}

fn has(directory: &str, name: &str) -> bool {
    names(directory).iter().any(|listed| listed == name)
}

fn waits(say: &mut impl FnMut(String)) {
    let waiter = std::thread::spawn(|| said(store(attribute("wait"), "1")));
    std::thread::sleep(Duration::from_millis(100));
    let others = said(store(attribute("rw"), "0\n").and_then(|_| store(attribute("create"), "meanwhile")));
    say(format!("{others}, waits: {}", !waiter.is_finished()));
    let another = std::thread::spawn(|| said(store("/sys/devices/test/meanwhile/remove", "1")));
    say(another.join().unwrap_or_default());
    store(attribute("let_go"), "1").expect("letting go");
    say(waiter.join().unwrap_or_default());
    let reader = std::thread::spawn(|| said(show(attribute("show_wait"))));
    std::thread::sleep(Duration::from_millis(50));
    store(attribute("let_go"), "1").expect("letting go");
    say(reader.join().unwrap_or_default());
}

fn work() -> String {
    let before = show(attribute("work")).unwrap_or_default();
    store(attribute("work"), "800").expect("work");
    std::thread::sleep(Duration::from_millis(30));
    let early = show(attribute("work")).unwrap_or_default() == before;
    // The next thing that is asked comes long after it is due: nobody but a timer can have done it.
    std::thread::sleep(Duration::from_millis(1200));
    let done = Path::new("/sys/devices/test/worked1").exists();
    format!("{early} {done}")
}
