//! The comparison of transcripts is itself tested: all recordings pass on a machine that answers from them, and
//! every change of a recording is found at its operation.

use std::path::PathBuf;
use std::sync::LazyLock;

use ap_files::transcript::{Code, Entries, Guest, Kind, Line, Text, TranscriptError};
use apmatrix::replay::rules::{self, Apcbs};
use apmatrix::replay::{Input, Options, Recorded, ReplayError, Report, replay};

/// How many mutants are made, and from which seed.
const MUTANTS: u64 = 200;
const SEED: u64 = 0x5eed_0001;

struct Transcript {
    name: String,
    lines: Vec<Line>,
}

static TRANSCRIPTS: LazyLock<Vec<Transcript>> = LazyLock::new(transcripts);

fn transcripts() -> Vec<Transcript> {
    let archive = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts.tar.xz");
    let mut all = Vec::new();
    Input::Archive(archive)
        .each::<TranscriptError>(&mut |name, lines| {
            all.push(Transcript { name: name.to_owned(), lines: lines.collect::<Result<_, _>>()? });
            Ok(())
        })
        .expect("the archive is readable");
    all
}

fn run(name: &str, recording: &[Line], machine: &[Line]) -> Report {
    let mut target = Recorded::new(machine);
    let lines = recording.iter().cloned().map(Ok::<_, TranscriptError>);
    let result = replay(name, lines, &mut target, Options::default());
    let file = result.map_err(|error| match error {
        ReplayError::Input(error) => error.to_string(),
        ReplayError::Target(error) => error.to_string(),
    });
    Report { files: vec![file.expect("a recording is always readable")] }
}

/// Small numbers from a seed; the same on every machine.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// What can be changed in a line: each returns whether it found something, and changed it.
type Mutation = fn(&mut Line, &Apcbs, &mut Seeded) -> bool;

const MUTATIONS: [(&str, Mutation); 16] = [
    ("errno", errno),
    ("drop a uevent", drop_uevent),
    ("add a uevent", add_uevent),
    ("a uevent's variable", uevent_variable),
    ("swap uevents", swap_uevents),
    ("swap instructions", swap_instructions),
    ("drop an instruction", drop_instruction),
    ("an instruction", alter_instruction),
    ("a log line", log_text),
    ("a log level", log_level),
    ("drop a log line", drop_log),
    ("a mode", mode),
    ("a link", link),
    ("content", content),
    ("a listing", listing),
    ("a guest", guest),
];

fn errno(line: &mut Line, _: &Apcbs, seeded: &mut Seeded) -> bool {
    let names = ["EBUSY", "EINVAL", "ENOENT", "EADDRNOTAVAIL", "EADDRINUSE"];
    let Some(errno) = line.errno.as_mut() else { return false };
    let mut other = Code::Name(names[seeded.below(names.len())].into());
    if *errno == other || (*errno != Code::Zero && seeded.below(2) == 0) {
        other = if *errno == Code::Zero { Code::Name("EPERM".into()) } else { Code::Zero };
    }
    *errno = other;
    true
}

fn drop_uevent(line: &mut Line, _: &Apcbs, seeded: &mut Seeded) -> bool {
    let n = line.uevents.len();
    n > 0 && {
        line.uevents.remove(seeded.below(n));
        true
    }
}

fn add_uevent(line: &mut Line, _: &Apcbs, seeded: &mut Seeded) -> bool {
    let n = line.uevents.len();
    n > 0 && {
        let twice = line.uevents[seeded.below(n)].clone();
        line.uevents.insert(seeded.below(n + 1), twice);
        true
    }
}

fn uevent_variable(line: &mut Line, _: &Apcbs, seeded: &mut Seeded) -> bool {
    let n = line.uevents.len();
    n > 0 && {
        let env = &mut line.uevents[seeded.below(n)].env;
        let key = env.keys().nth(seeded.below(env.len())).cloned();
        match (key, seeded.below(2)) {
            (Some(key), 0) => drop(env.remove(&key)),
            (Some(key), _) => drop(env.insert(key, "else".into())),
            (None, _) => drop(env.insert("MORE".into(), "1".into())),
        }
        true
    }
}

fn swap_uevents(line: &mut Line, _: &Apcbs, seeded: &mut Seeded) -> bool {
    let n = line.uevents.len();
    n > 1 && {
        let at = seeded.below(n - 1);
        line.uevents.swap(at, at + 1);
        line.uevents[at] != line.uevents[at + 1]
    }
}

fn compared(line: &Line, apcbs: &Apcbs) -> Vec<usize> {
    (0..line.hwlog.len()).filter(|at| apcbs.compares(&line.hwlog[*at])).collect()
}

fn swap_instructions(line: &mut Line, apcbs: &Apcbs, seeded: &mut Seeded) -> bool {
    let places = compared(line, apcbs);
    places.len() > 1 && {
        let at = seeded.below(places.len() - 1);
        let (a, b) = (places[at], places[at + 1]);
        line.hwlog.swap(a, b);
        line.hwlog[a] != line.hwlog[b]
    }
}

fn drop_instruction(line: &mut Line, apcbs: &Apcbs, seeded: &mut Seeded) -> bool {
    let places = compared(line, apcbs);
    !places.is_empty() && {
        line.hwlog.remove(places[seeded.below(places.len())]);
        true
    }
}

fn alter_instruction(line: &mut Line, apcbs: &Apcbs, seeded: &mut Seeded) -> bool {
    let places = compared(line, apcbs);
    !places.is_empty() && {
        let text = &mut line.hwlog[places[seeded.below(places.len())]];
        let digits: Vec<usize> =
            text.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).collect();
        if digits.is_empty() || text.starts_with("rapq") {
            text.push_str(" more");
        } else {
            let at = digits[seeded.below(digits.len())];
            let other = if &text[at..=at] == "7" { "3" } else { "7" };
            text.replace_range(at..=at, other);
        }
        true
    }
}

fn logged(line: &Line) -> Vec<usize> {
    (0..line.dmesg.len()).filter(|at| rules::log_line(&line.dmesg[*at].text)).collect()
}

fn log_text(line: &mut Line, _: &Apcbs, seeded: &mut Seeded) -> bool {
    let places = logged(line);
    !places.is_empty() && {
        let at = places[seeded.below(places.len())];
        line.dmesg[at].text.pop();
        true
    }
}

fn log_level(line: &mut Line, _: &Apcbs, seeded: &mut Seeded) -> bool {
    let places = logged(line);
    !places.is_empty() && {
        let at = places[seeded.below(places.len())];
        line.dmesg[at].level ^= 1;
        true
    }
}

fn drop_log(line: &mut Line, _: &Apcbs, seeded: &mut Seeded) -> bool {
    let places = logged(line);
    !places.is_empty() && {
        line.dmesg.remove(places[seeded.below(places.len())]);
        true
    }
}

fn mode(line: &mut Line, _: &Apcbs, seeded: &mut Seeded) -> bool {
    if line.op == Kind::Stat {
        return line.mode.as_mut().is_some_and(|mode| {
            *mode = mode.replace('4', "6");
            mode.replace_range(mode.len() - 1.., "1");
            true
        });
    }
    let Some(Entries::Tree(nodes)) = line.entries.as_mut() else { return false };
    let n = nodes.len();
    nodes.values_mut().nth(seeded.below(n)).is_some_and(|node| {
        node.mode = if node.mode == "0644" { "0444".into() } else { "0644".into() };
        true
    })
}

fn link(line: &mut Line, _: &Apcbs, seeded: &mut Seeded) -> bool {
    if line.op == Kind::Readlink {
        return line.data.as_mut().is_some_and(|link| {
            link.push('x');
            true
        });
    }
    let Some(Entries::Tree(nodes)) = line.entries.as_mut() else { return false };
    let mut links: Vec<&mut String> = nodes.values_mut().filter_map(|node| node.link.as_mut()).collect();
    let n = links.len();
    n > 0 && {
        links[seeded.below(n)].insert_str(0, "../");
        true
    }
}

fn content(line: &mut Line, _: &Apcbs, seeded: &mut Seeded) -> bool {
    let counted = |path: &str| path.ends_with("/request_count");
    let alter = |text: &mut String| text.insert(0, '7');
    match line.op {
        Kind::Read if !line.path.as_deref().is_some_and(counted) => line.data.as_mut().map(alter).is_some(),
        Kind::Tree => {
            let Some(Entries::Tree(nodes)) = line.entries.as_mut() else { return false };
            let files = nodes.iter_mut().filter(|(path, _)| !counted(path));
            let mut texts: Vec<&mut String> = files.filter_map(|(_, node)| node.data.as_mut()).collect();
            let n = texts.len();
            n > 0 && {
                alter(texts[seeded.below(n)]);
                true
            }
        }
        Kind::Dump => {
            let bus = line.bus.iter_mut().flat_map(|bus| bus.values_mut());
            let mdevs =
                line.mdevs.iter_mut().flat_map(|mdevs| mdevs.values_mut().flat_map(|mdev| mdev.values_mut()));
            let queues = line.queues.iter_mut().flat_map(|queues| queues.values_mut());
            let queues = queues.flat_map(|queue| queue.values_mut().filter_map(Option::as_mut));
            let mut texts: Vec<&mut Text> = bus.chain(mdevs).chain(queues).collect();
            let n = texts.len();
            n > 0 && {
                *texts[seeded.below(n)] = Text::Read("else\n".into());
                true
            }
        }
        _ => false,
    }
}

fn listing(line: &mut Line, _: &Apcbs, seeded: &mut Seeded) -> bool {
    let path = line.path.clone().unwrap_or_default();
    match line.entries.as_mut() {
        Some(Entries::Names(names)) => {
            let ours: Vec<usize> = (0..names.len()).filter(|at| rules::is_ours(&path, &names[*at])).collect();
            !ours.is_empty() && {
                names.remove(ours[seeded.below(ours.len())]);
                true
            }
        }
        Some(Entries::Tree(nodes)) => {
            let n = nodes.len();
            let path = nodes.keys().nth(seeded.below(n)).cloned();
            path.is_some_and(|path| nodes.remove(&path).is_some())
        }
        None => false,
    }
}

fn guest(line: &mut Line, _: &Apcbs, seeded: &mut Seeded) -> bool {
    let Some(guests) = line.guests.as_mut().filter(|guests| !guests.is_empty()) else { return false };
    let n = guests.len();
    let at = seeded.below(n);
    let guest: &mut Guest = &mut guests[at];
    match seeded.below(5) {
        0 => guest.nset += 1,
        1 => guest.nclear += 1,
        2 => guest.hook ^= 1,
        3 => guest.adm.replace_range(2..3, "c"),
        _ => guest.name.push('x'),
    }
    true
}

/// A recording with one change, somewhere where `mutation` applies.
fn mutant(all: &[Transcript], mutation: Mutation, seeded: &mut Seeded) -> (usize, Vec<Line>, u64) {
    loop {
        let file = seeded.below(all.len());
        let transcript = &all[file];
        let from = seeded.below(transcript.lines.len());
        let mut apcbs = Apcbs::default();
        for (at, line) in transcript.lines.iter().enumerate() {
            line.hwlog.iter().for_each(|instruction| apcbs.follow(instruction));
            if at < from {
                continue;
            }
            if !rules::has_uevents(&transcript.name) && !line.uevents.is_empty() {
                continue;
            }
            let mut changed = line.clone();
            if mutation(&mut changed, &apcbs, seeded) {
                let mut lines = transcript.lines[..=at].to_vec();
                lines[at] = changed;
                return (file, lines, line.i);
            }
        }
    }
}

#[test]
fn every_recording_passes_on_a_machine_that_answers_from_it() {
    let all = &*TRANSCRIPTS;
    assert_eq!(all.len(), 470);
    for transcript in all {
        let report = run(&transcript.name, &transcript.lines, &transcript.lines);
        assert_eq!(report.failed(), 0, "{}", apmatrix::replay::report::lines(&report.files[0]));
        assert_eq!(report.files[0].operations, transcript.lines.len() as u64);
    }
}

#[test]
fn every_mutant_is_found_at_its_operation() {
    let all = &*TRANSCRIPTS;
    let mut seeded = Seeded(SEED);
    for n in 0..MUTANTS {
        let (what, mutation) = MUTATIONS[(n % MUTATIONS.len() as u64) as usize];
        let (file, mutated, at) = mutant(all, mutation, &mut seeded);
        let Transcript { name, lines } = &all[file];
        let report = run(name, &mutated, lines);
        assert_eq!(report.failed(), 1, "mutant {n} of {name}:{at} ({what}) was not found");
        let line = apmatrix::replay::report::lines(&report.files[0]);
        assert!(line.starts_with(&format!("FAIL {name}:{at} ")), "mutant {n} ({what}): {line}");
        assert_eq!(report.status(), 1);
    }
}
