//! The prompt of `apmatrix shell`: lines that can be edited, a history, and completion from the tree.
//!
//! Knows the terminal and what a word of a command line may be; what a command does is the shell's.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ap_shell::{Foreground, Shell, World};
use ap_sysfs::Kind;
use ap_sysfs::control::command::KEYS;
use ap_sysfs::control::{GUEST, HW, Verbs};
use ap_sysfs::nearest::BELOW;
use ap_types::grammar;
use rustix::termios::{QueueSelector, tcflush};
use rustyline::completion::{Completer, Pair};
use rustyline::config::{Behavior, BellStyle, ColorMode, CompletionType};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Context, Editor, Helper};

/// What stands between two commands.
const BETWEEN: [char; 6] = [';', '&', '|', '(', '{', '\n'];
/// What stands between two words beside blanks.
const BESIDE: [char; 3] = ['>', '=', '"'];
/// The commands of the program that the shell has, too.
const PROGRAM: [&str; 5] = ["ls", "hw", "guest", "events", "why"];

/// Where cards and queues are, mdevs, and guests.
const DEVICES: &str = "/sys/bus/ap/devices";
const MDEVS: &str = "/sys/devices/vfio_ap/matrix";
const GUESTS: &str = "/sys/kernel/debug/apmatrix/guests";

/// How soon ^C ends what waits in the foreground.
const MOMENT: Duration = Duration::from_millis(20);
/// For how many moments what arrives is dropped after a byte that is no text.
const MOMENTS: u32 = 5;

/// What was read at a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A command, or several.
    Text(String),
    /// ^C: the line is dropped.
    Dropped,
    /// A byte came that is not UTF-8: the line is dropped, and what came with it.
    Garbled,
    /// ^D, or the end of what can be read.
    End,
}

/// A prompt over a shell.
pub struct Prompt<W: World> {
    editor: Editor<Help<W>, DefaultHistory>,
}

impl<W: World> Prompt<W> {
    /// A prompt that completes what that shell has.
    ///
    /// # Errors
    /// If the terminal cannot be used.
    pub fn new(shell: Rc<RefCell<Shell<W>>>) -> Result<Prompt<W>, ReadlineError> {
        let mut editor = Editor::with_config(config())?;
        editor.set_helper(Some(Help { shell }));
        Ok(Prompt { editor })
    }

    /// Drops what was read ahead; the history stays.
    ///
    /// # Errors
    /// If the terminal cannot be used.
    pub fn discard(&mut self) -> Result<(), ReadlineError> {
        // It goes with the editor.
        let config = config();
        let history = std::mem::replace(self.editor.history_mut(), DefaultHistory::with_config(&config));
        let mut editor = Editor::with_history(config, history)?;
        editor.set_helper(self.editor.helper_mut().map(|help| Help { shell: Rc::clone(&help.shell) }));
        self.editor = editor;
        Ok(())
    }

    /// Reads a command; one that is not complete goes on in the next line.
    ///
    /// # Errors
    /// If the terminal cannot be used.
    pub fn read(&mut self, prompt: &str) -> Result<Read, ReadlineError> {
        match self.editor.readline(prompt) {
            Ok(text) => Ok(Read::Text(text)),
            Err(ReadlineError::Interrupted) => Ok(Read::Dropped),
            Err(ReadlineError::Eof) => Ok(Read::End),
            Err(ReadlineError::Io(error)) if error.kind() == ErrorKind::InvalidData => {
                // A part of what was typed or pasted is gone, so the rest of it must not run: it may still be on its way.
                for _ in 0..MOMENTS {
                    std::thread::sleep(MOMENT);
                    // If it cannot be dropped, it is read.
                    let _kept = tcflush(std::io::stdin(), QueueSelector::IFlush);
                }
                Ok(Read::Garbled)
            }
            Err(error) => Err(error),
        }
    }
}

/// How lines are edited.
fn config() -> Config {
    Config::builder()
        .auto_add_history(true)
        .behavior(Behavior::PreferTerm)
        .bell_style(BellStyle::None)
        .bracketed_paste(true)
        .color_mode(ColorMode::Disabled)
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .build()
}

/// Who sits at the terminal: ^C, and the time that passes there.
#[derive(Clone, Debug)]
pub struct Sitting {
    pressed: Arc<AtomicBool>,
    heeded: Arc<AtomicBool>,
}

impl Sitting {
    /// Listens for ^C from now on.
    ///
    /// # Errors
    /// If the signal cannot be had.
    pub fn new() -> std::io::Result<Sitting> {
        let pressed = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&pressed))?;
        Ok(Sitting { pressed, heeded: Arc::default() })
    }

    /// Whether a ^C ended a command since the last question.
    #[must_use]
    pub fn heeded(&self) -> bool {
        self.heeded.swap(false, Ordering::Relaxed)
    }

    /// Forgets a ^C that was meant for something else.
    pub fn forget(&self) {
        self.pressed.store(false, Ordering::Relaxed);
    }
}

impl Foreground for Sitting {
    fn interrupted(&self) -> bool {
        let pressed = self.pressed.swap(false, Ordering::Relaxed);
        self.heeded.fetch_or(pressed, Ordering::Relaxed);
        pressed
    }

    fn pause(&self) -> u64 {
        std::thread::sleep(MOMENT);
        u64::try_from(MOMENT.as_millis()).unwrap_or_default()
    }
}

/// What completes the words of a line, and says whether it is complete.
struct Help<W: World> {
    shell: Rc<RefCell<Shell<W>>>,
}

impl<W: World> Completer for Help<W> {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> Result<(usize, Vec<Pair>), ReadlineError> {
        let Ok(mut shell) = self.shell.try_borrow_mut() else { return Ok((position, Vec::new())) };
        let (start, words) = complete(&mut shell, line.get(..position).unwrap_or(line));
        Ok((start, words))
    }
}

impl<W: World> Validator for Help<W> {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult, ReadlineError> {
        Ok(match ap_shell::parse(context.input(), "sh") {
            Err(error) if error.incomplete => ValidationResult::Incomplete,
            _ => ValidationResult::Valid(None),
        })
    }
}

impl<W: World> Hinter for Help<W> {
    type Hint = String;
}

impl<W: World> Highlighter for Help<W> {}

impl<W: World> Helper for Help<W> {}

/// What the last word of a line can become: where it begins, and the words.
fn complete<W: World>(shell: &mut Shell<W>, line: &str) -> (usize, Vec<Pair>) {
    let command = line.rfind(BETWEEN).map_or(0, |at| at + 1);
    let begins =
        |letter: char| letter.is_whitespace() || BETWEEN.contains(&letter) || BESIDE.contains(&letter);
    let start = line.rfind(begins).map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
    let (before, word) = (&line[command.min(start)..start], &line[start..]);
    let words: Vec<&str> = before.split_whitespace().collect();
    let names: Vec<&str> = match words.as_slice() {
        [] => ap_shell::commands().map(|command| command.name).collect(),
        ["help"] => ap_shell::commands().map(|command| command.name).collect(),
        ["apmatrix"] => PROGRAM.to_vec(),
        ["hw"] | ["apmatrix", "hw"] => HW.names(),
        ["guest"] | ["apmatrix", "guest"] => GUEST.names(),
        ["hw", verb, given @ ..] | ["apmatrix", "hw", verb, given @ ..] => {
            return (start, arguments(shell, &HW, verb, given.len(), word));
        }
        ["guest", verb, given @ ..] | ["apmatrix", "guest", verb, given @ ..] => {
            return (start, arguments(shell, &GUEST, verb, given.len(), word));
        }
        ["why"] | ["apmatrix", "why"] if !word.starts_with('/') => {
            return (start + directory_of(word).len(), short_paths(shell, word));
        }
        _ => return (start + directory_of(word).len(), paths(shell, word)),
    };
    let known = names.into_iter().filter(|name| name.starts_with(word));
    (start, known.map(|name| Pair { display: name.to_owned(), replacement: format!("{name} ") }).collect())
}

/// What the word at that place after a verb can be, as the verb's help calls it.
fn arguments<W: World>(
    shell: &mut Shell<W>,
    verbs: &Verbs,
    verb: &str,
    place: usize,
    word: &str,
) -> Vec<Pair> {
    let Some(verb) = verbs.shown().find(|known| known.name == verb) else { return Vec::new() };
    let mut found = Vec::new();
    for one in verb.arguments.split(" | ") {
        let taken: Vec<&str> = one.split_whitespace().map(|word| word.trim_matches(['[', ']'])).collect();
        // The last one may stand again and again.
        let last = taken.last().filter(|last| last.ends_with('…'));
        if let Some(takes) = taken.get(place).or(last) {
            found.extend(named(shell, verbs.command, verb.name, takes));
        }
    }
    found.retain(|known| known.starts_with(word));
    found.sort();
    found.dedup();
    let pair = |known: String| {
        let end = if known.ends_with('=') { "" } else { " " };
        Pair { replacement: format!("{known}{end}"), display: known }
    };
    found.into_iter().map(pair).collect()
}

/// What there is of that which help calls `takes`.
fn named<W: World>(shell: &mut Shell<W>, command: &str, verb: &str, takes: &str) -> Vec<String> {
    let mut entries = |directory: &str| -> Vec<String> {
        let entries = shell.world().list(directory).unwrap_or_default();
        entries.into_iter().map(|entry| entry.name).collect()
    };
    match (command, takes) {
        (_, "APQN") => entries(DEVICES).into_iter().filter(|name| name.contains('.')).collect(),
        (_, _) if takes.starts_with("AP") => {
            entries(DEVICES).into_iter().filter(|name| name.starts_with("card")).collect()
        }
        (_, "UUID") => {
            entries(MDEVS).into_iter().filter(|name| grammar::uuid(name.as_bytes()).is_ok()).collect()
        }
        ("guest", "NAME") => {
            let text = shell.world().read(GUESTS).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            text.lines().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
        }
        (_, "NAME") => ap_sysfs::modules::files().iter().map(|module| module.name.to_owned()).collect(),
        (_, "KEY=VALUE…") => {
            let of = if verb == "fault" { &["q"][..] } else { &["qci", "opt"] };
            let keys = KEYS.iter().filter(|key| of.contains(&key.command));
            keys.map(|key| format!("{}=", key.name)).collect()
        }
        // The words themselves, or the keys before one value.
        _ if takes.contains('|') => {
            let (words, end) = takes.split_once('=').map_or((takes, ""), |(words, _)| (words, "="));
            words.split('|').map(|word| format!("{word}{end}")).collect()
        }
        _ => Vec::new(),
    }
}

/// The names that a path's last part can become where `why` looks for it.
fn short_paths<W: World>(shell: &mut Shell<W>, word: &str) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for below in BELOW {
        pairs.extend(paths_below(shell, &format!("/sys/{below}{}", directory_of(word)), word));
    }
    pairs.sort_by(|one, other| one.display.cmp(&other.display));
    pairs.dedup_by(|one, other| one.display == other.display);
    pairs
}

/// The part of a path up to its last slash.
fn directory_of(word: &str) -> &str {
    word.rfind('/').map_or("", |slash| &word[..=slash])
}

/// The names that a path's last part can become.
fn paths<W: World>(shell: &mut Shell<W>, word: &str) -> Vec<Pair> {
    let directory = directory_of(word);
    let full = if directory.starts_with('/') {
        directory.to_owned()
    } else {
        format!("{}/{directory}", shell.current_directory().trim_end_matches('/'))
    };
    paths_below(shell, &full, word)
}

/// The same, of the names in that directory.
fn paths_below<W: World>(shell: &mut Shell<W>, full: &str, word: &str) -> Vec<Pair> {
    let part = &word[directory_of(word).len()..];
    let entries = shell.world().list(full).unwrap_or_default();
    let mut pairs = Vec::new();
    for entry in entries.into_iter().filter(|entry| entry.name.starts_with(part)) {
        // A link may lead to a directory.
        let path = format!("{}/{}", full.trim_end_matches('/'), entry.name);
        let kind = match entry.kind {
            Kind::Link => shell.world().stat(&path, true).map_or(Kind::Link, |target| target.kind),
            kind => kind,
        };
        let end = if kind == Kind::Directory { "/" } else { " " };
        pairs.push(Pair { display: entry.name.clone(), replacement: format!("{}{end}", entry.name) });
    }
    pairs
}

#[cfg(test)]
mod tests {
    use ap_files::boot;

    use super::*;
    use crate::commands::MachineArgs;
    use crate::commands::shell::world;

    /// The words that a line's last one can become, put after what stands before it.
    fn completed(line: &str) -> Vec<String> {
        let machine = MachineArgs::named("tiny").load().expect("it is there");
        let mut shell = Shell::new(world(boot(&machine).expect("it boots")));
        let (start, pairs) = complete(&mut shell, line);
        pairs.into_iter().map(|pair| format!("{}{}", &line[..start], pair.replacement)).collect()
    }

    #[test]
    fn what_a_verb_and_why_take_is_completed() {
        assert_eq!(completed("why apm"), ["why apmask "]);
        assert_eq!(completed("why bus/ap/apm"), ["why bus/ap/apmask "]);
        assert_eq!(completed("apmatrix why 04.0006/onl"), ["apmatrix why 04.0006/online "]);
        assert_eq!(completed("hw fault 04.0006 re"), ["hw fault 04.0006 resetlat="]);
        assert_eq!(completed("hw fault 04.0006 rc=3 bu"), ["hw fault 04.0006 rc=3 busy="]);
        assert_eq!(completed("hw fault 04.0006 rc=/"), Vec::<String>::new());
        assert_eq!(completed("hw repair card"), ["hw repair card04 ", "hw repair card0a "]);
        assert_eq!(completed("hw repair 04.0006"), ["hw repair 04.0006 "]);
        assert_eq!(completed("hw modules u"), ["hw modules unload "]);
        assert_eq!(completed("hw modules unload vf"), ["hw modules unload vfio_ap "]);
        assert_eq!(completed("hw keys 04.0006 cur"), ["hw keys 04.0006 current="]);
        assert_eq!(completed("hw advance "), Vec::<String>::new());
        let machine = MachineArgs::named("tiny").load().expect("it is there");
        let mut shell = Shell::new(world(boot(&machine).expect("it boots")));
        let uuid = "62177883-f1bb-47f0-914d-32a22e3a8804";
        let create = format!("{MDEVS}/mdev_supported_types/vfio_ap-passthrough/create");
        let script =
            ap_shell::parse(&format!("echo {uuid} > {create}; guest make g1"), "-c").expect("a script");
        assert_eq!(shell.run(&script, &mut |_, text| assert_eq!(text, "")).code, 0);
        let mut words = |line: &str| -> Vec<String> {
            complete(&mut shell, line).1.into_iter().map(|pair| pair.replacement).collect()
        };
        assert_eq!(words("guest start g1 "), [format!("{uuid} ")]);
        assert_eq!(words("guest stop "), ["g1 "]);
        assert_eq!(words("guest aqic g1 04.0006 o"), ["off ", "on "]);
    }

    #[test]
    fn h10_paths_verbs_and_commands_are_completed_from_the_tree() {
        assert_eq!(completed("ls /sys/bus/ap/dev"), ["ls /sys/bus/ap/devices/"]);
        assert_eq!(completed("echo 1 >/sys/bus/ap/apm"), ["echo 1 >/sys/bus/ap/apmask "]);
        assert_eq!(completed("cat bus/ap/aqm"), ["cat bus/ap/aqmask "]);
        assert_eq!(completed("hw unp"), ["hw unplug "]);
        assert_eq!(completed("ls; apmatrix gu"), ["ls; apmatrix guest "]);
        assert_eq!(completed("true && rea"), ["true && readlink "]);
        assert_eq!(completed("guest st"), ["guest start ", "guest stop "]);
        assert!(completed("cat /nowhere/x").is_empty());
        assert!(completed("ls /sys/bus/ap/devices/card0").len() >= 2);
    }
}
