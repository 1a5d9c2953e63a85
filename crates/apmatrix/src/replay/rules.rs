//! What is not compared, in one place: the rows of the transcripts' table "What is compared".

use std::borrow::Cow;
use std::collections::BTreeMap;

use ap_files::transcript::{Kind, Line};

/// How much time passes after every operation before its events are collected.
pub const SETTLE_MS: u64 = 200;

/// How many log lines an operation keeps.
pub const LOG_LIMIT: usize = 400;

/// Transcripts that were recorded without the time after each operation, from which operation on.
///
/// Nothing in the file says so; it is a fact about that one recording.
const UNSETTLED: [(&str, u64); 1] = [("scenario-29", 509)];

/// Recordings that kept no uevents.
const WITHOUT_UEVENTS: &str = "boot-wide";

/// Whose text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The recorder's.
    Recorded,
    /// The replaying machine's.
    Ours,
}

/// Whether time passes after operation `i` of the transcript `name`.
#[must_use]
pub fn settles(name: &str, i: u64) -> bool {
    !UNSETTLED.iter().any(|(file, from)| i >= *from && is_file(name, file))
}

/// Whether the transcript `name` recorded uevents.
#[must_use]
pub fn has_uevents(name: &str) -> bool {
    !name.starts_with(WITHOUT_UEVENTS)
}

fn is_file(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// What is compared of a file's content.
///
/// * `request_count`: any number equals any number, for every crypto request of the recorder was refused.
/// * `matrix` and `guest_matrix` with 512 queues or more: the reference overruns its page and gives 4095 bytes,
///   we give the whole lines that fit (DEV-001).
#[must_use]
pub fn content<'a>(path: &str, data: &'a str, side: Side) -> Cow<'a, str> {
    match path.rsplit('/').next().unwrap_or(path) {
        "request_count"
            if !data.is_empty() && data.trim_end_matches('\n').bytes().all(|b| b.is_ascii_digit()) =>
        {
            Cow::Borrowed("(a number)\n")
        }
        "matrix" | "guest_matrix" if side == Side::Recorded && data.len() == 4095 => {
            Cow::Owned(format!("{data}\n"))
        }
        _ => Cow::Borrowed(data),
    }
}

/// Whether an entry of the directory `path` is compared: the machine has buses and devices that are not ours.
#[must_use]
pub fn is_ours(path: &str, name: &str) -> bool {
    match path.trim_end_matches('/') {
        "/sys/bus" => matches!(name, "ap" | "mdev" | "matrix"),
        "/sys/devices" => matches!(name, "ap" | "vfio_ap"),
        _ => true,
    }
}

/// Whether a log line is compared.
///
/// Not `Waited …` (the recorder shows the last of a run later, or never), not what the kernel says about
/// modules' symbols and warnings.
#[must_use]
pub fn log_line(text: &str) -> bool {
    ["vfio_ap_mdev ", "vfio_ap matrix", "ap: "].iter().any(|start| text.starts_with(start))
}

/// The module's own event when `ap` is loaded, moved to the end: whether the first scan comes before or after it was
/// not always the same (page 6, F17).
pub fn in_any_place(line: &Line, uevents: &mut Vec<String>) {
    if line.op != Kind::Insmod || line.module.as_deref() != Some("ap") {
        return;
    }
    if let Some(at) = uevents.iter().position(|event| event.starts_with("add /module/ap ")) {
        let event = uevents.remove(at);
        uevents.push(event);
    }
}

/// What several queues do beside each other when all of an mdev's queues are reset, moved to the end and sorted: the
/// order in which their interrupts are freed, and in which ZAPQs that failed are repeated, is chance (page 6).
pub fn in_parallel(line: &Line, instructions: &mut Vec<String>) {
    let all_queues = match line.op {
        Kind::Guest => matches!(line.cmd.as_deref(), Some("close" | "reset")),
        Kind::Write | Kind::Awrite => line.path.as_deref().is_some_and(|path| path.ends_with("/remove")),
        Kind::Rmmod => true,
        _ => false,
    };
    if !all_queues {
        return;
    }
    let mut failed = BTreeMap::new();
    let beside = |text: &String| match text.split_once(' ') {
        Some(("zapq", rest)) => {
            let (queue, code) = rest.split_once(' ').unwrap_or((rest, ""));
            failed.insert(queue.to_owned(), code != "rc=00").unwrap_or(false)
        }
        Some(("gisc_unregister" | "unpin", _)) => true,
        _ => false,
    };
    let (mut beside, first): (Vec<_>, Vec<_>) = std::mem::take(instructions).into_iter().partition(beside);
    beside.sort();
    instructions.extend(first.into_iter().chain(beside));
}

/// The APCBs of the running guests, as the instructions so far set them.
#[derive(Clone, Debug, Default)]
pub struct Apcbs {
    guests: BTreeMap<String, (String, String)>,
}

impl Apcbs {
    /// Takes note of an instruction.
    pub fn follow(&mut self, instruction: &str) {
        let mut words = instruction.split(' ');
        match (words.next(), words.next()) {
            (Some("set_masks"), Some(guest)) => {
                let mut mask =
                    |key: &str| words.next().and_then(|word| word.strip_prefix(key)).map(str::to_owned);
                if let (Some(apm), Some(aqm)) = (mask("apm=0x"), mask("aqm=0x")) {
                    self.guests.insert(guest.to_owned(), (apm, aqm));
                }
            }
            (Some("clear_masks"), Some(guest)) => {
                self.guests.remove(guest);
            }
            _ => {}
        }
    }

    /// Whether a running guest has the queue.
    fn have(&self, adapter: usize, domain: usize) -> bool {
        self.guests.values().any(|(apm, aqm)| bit(apm, adapter) && bit(aqm, domain))
    }

    /// Whether an instruction is compared, given the APCBs *after* its operation.
    ///
    /// * RAPQ with another answer than 00 and 02: a queue in error repeats it at every poll, so their number and
    ///   place depend on when timers fire.
    /// * RAPQ of a queue that is in a running guest's APCB: the reference resets it, we don't (DEV-004).
    #[must_use]
    pub fn compares(&self, instruction: &str) -> bool {
        let mut words = instruction.split(' ');
        if words.next() != Some("rapq") {
            return true;
        }
        let queue = words.next().and_then(|apqn| {
            let (adapter, domain) = apqn.split_once('.')?;
            Some((usize::from_str_radix(adapter, 16).ok()?, usize::from_str_radix(domain, 16).ok()?))
        });
        let Some((adapter, domain)) = queue else { return true };
        matches!(words.next(), Some("rc=00" | "rc=02")) && !self.have(adapter, domain)
    }
}

/// Bit `n`, the most significant first, of hex digits.
fn bit(digits: &str, n: usize) -> bool {
    let digit = digits.as_bytes().get(n / 4).and_then(|digit| char::from(*digit).to_digit(16));
    digit.is_some_and(|digit| digit & (8 >> (n % 4)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_requests_is_as_good_as_another() {
        let path = "/sys/bus/ap/devices/04.0006/request_count";
        assert_eq!(content(path, "5\n", Side::Ours), content(path, "17\n", Side::Recorded));
        assert_ne!(content(path, "5\n", Side::Ours), content(path, "-\n", Side::Recorded));
        assert_eq!(content("/sys/x/requestq_count", "5\n", Side::Ours), "5\n");
    }

    #[test]
    fn an_overrun_matrix_lacks_its_last_newline() {
        let ours = "05.0004\n".repeat(512);
        let path = "/sys/devices/vfio_ap/matrix/u/matrix";
        assert_eq!(content(path, &ours[..4095], Side::Recorded), ours);
        assert_eq!(content(path, &ours[..4095], Side::Ours), &ours[..4095]);
        assert_eq!(content("/sys/bus/ap/features", &ours[..4095], Side::Recorded), &ours[..4095]);
    }

    #[test]
    fn only_quiet_resets_of_the_host_are_compared() {
        let mut apcbs = Apcbs::default();
        let zero = "0".repeat(62);
        apcbs.follow(&format!("set_masks g1 apm=0x08{zero} aqm=0x02{zero} adm=0x00{zero}"));
        assert!(!apcbs.compares("rapq 04.0006 rc=00"));
        assert!(!apcbs.compares("rapq 04.0006 rc=00 f"));
        assert!(apcbs.compares("rapq 04.0007 rc=00"));
        assert!(apcbs.compares("rapq 05.0006 rc=02"));
        assert!(!apcbs.compares("rapq 05.0006 rc=01"));
        assert!(apcbs.compares("zapq 04.0006 rc=01"));
        apcbs.follow("clear_masks g1");
        assert!(apcbs.compares("rapq 04.0006 rc=00"));
    }

    #[test]
    fn one_recording_did_not_settle() {
        assert!(settles("scenario-29-card-queue-attrs", 508));
        assert!(!settles("scenario-29-card-queue-attrs", 509));
        assert!(settles("scenario-290", 600));
    }
}
