//! What walking the tree costs, without a mount: what `cat`, `find` and `ls -lR` ask for.

#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use ap_sysfs::{Called, Filesystem, Ino, Kind, ROOT, Session};
use criterion::{Criterion, criterion_group, criterion_main};

/// A machine of so many adapters and domains, all CEX8C, with all modules loaded.
fn boot(adapters: u32, domains: u32) -> Session {
    let mut session = Session::new();
    let (a, d) = (adapters - 1, domains - 1);
    for command in [
        format!("qci na={} nd={}", a.max(63), d.max(84)),
        format!("ap 0-{a} type=14 mode=cca"),
        format!("apm 0-{a}"),
        format!("aqm 0-{d}"),
        format!("adm 0-{d}"),
    ] {
        session.machine(&command).expect("a command");
    }
    for module in ["ap", "zcrypt", "zcrypt_cex4", "mdev", "vfio_ap"] {
        session.insmod(module, "").expect("it loads");
        session.advance(500);
    }
    session.events();
    session.changes();
    session
}

/// What `find` asks for: every name below a directory; the answer is how many.
fn find(session: &mut Session, directory: Ino) -> usize {
    let entries = session.entries(directory).expect("it is there");
    let below: Vec<Ino> = entries.iter().filter(|e| e.kind == Kind::Directory).map(|e| e.ino).collect();
    entries.len() + below.into_iter().map(|ino| find(session, ino)).sum::<usize>()
}

/// What `ls -lR` asks for: the same, with a look at each entry and the text of each link.
fn list(session: &mut Session, directory: Ino) -> usize {
    let entries = session.entries(directory).expect("it is there");
    let mut count = entries.len();
    for entry in &entries {
        let entry = session.lookup(directory, &entry.name).expect("it is there");
        match entry.kind {
            Kind::Directory => count += list(session, entry.ino),
            Kind::Link => count += session.readlink(entry.ino).expect("it is there").len(),
            Kind::File => {}
        }
    }
    count
}

fn read(session: &mut Session, path: &str) {
    let entry = session.resolve_following(black_box(path)).expect("it is there");
    let Called::Done(Ok(text)) = session.show(entry.ino) else { panic!("{path} can be read") };
    black_box(text);
}

fn reads(c: &mut Criterion) {
    let mut session = boot(64, 85);
    let mut group = c.benchmark_group("open, read and close");
    group.sample_size(50).measurement_time(Duration::from_secs(2));
    for path in
        ["/sys/devices/ap/card04/04.0047/online", "/sys/bus/ap/devices/04.0047/config", "/sys/bus/ap/apmask"]
    {
        group.bench_function(path, |b| b.iter(|| read(&mut session, path)));
    }
    group.finish();
}

fn walks(c: &mut Criterion) {
    let mut session = boot(64, 85);
    let mut group = c.benchmark_group("5440 queues");
    group.sample_size(20).measurement_time(Duration::from_secs(4));
    group.bench_function("find", |b| b.iter(|| find(&mut session, ROOT)));
    group.bench_function("ls -lR", |b| b.iter(|| list(&mut session, ROOT)));
    group.finish();
}

fn lookups(c: &mut Criterion) {
    let mut session = boot(256, 256);
    let mut group = c.benchmark_group("65536 queues");
    group.sample_size(50).measurement_time(Duration::from_secs(2));
    for directory in ["/sys/bus/ap/devices", "/sys/bus/ap/drivers/cex4queue"] {
        let at = session.resolve(directory).expect("it is there").ino;
        for name in ["7f.0080", "7f.0080.x"] {
            group.bench_function(format!("lookup {directory}/{name}"), |b| {
                b.iter(|| session.lookup(at, black_box(name)).is_ok());
            });
        }
        let link = session.lookup(at, "7f.0080").expect("it is there").ino;
        group.bench_function(format!("readlink {directory}/7f.0080"), |b| {
            b.iter(|| session.readlink(black_box(link)));
        });
    }
    group.finish();
}

criterion_group!(benches, reads, walks, lookups);
criterion_main!(benches);
