//! Why a write to a host is refused, as people and scripts see it.
//!
//! Finds the file and reads the host, both through [`Tree`]; the rules are `ap-plan`'s.

use std::path::Path;

use ap_apply::beware::lacking;
use ap_apply::import::import;
use ap_apply::tree::Tree;
use ap_plan::notes::of_write;
use ap_plan::why::moved;
use ap_plan::{Because, Change, Mdev, State, Store, Why, why};
use ap_sysfs::Errno;
use ap_sysfs::control::Refused;
use ap_sysfs::nearest::{BELOW, begun, meant, numbered};
use serde::Serialize;

use crate::control::DIRECTORY;
use crate::error::CliError;
use crate::plan::host::unreadable;
use crate::terminal::{Table, wrapped};

/// The page that says all rules.
pub const PAGE: &str = "docs/reference/rules.md";

/// One to a file that is not there reaches no attribute.
const NOTHING: &str = "nothing was refused so far: only writes to attributes that exist are counted, so if one failed, look \
                           for a typing error in its path";

/// What was asked, and what there is to say.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The write.
    pub store: Store,
    /// The refusal that it is about; `None` if somebody only wants to know what would happen.
    pub refused: Option<Errno>,
    /// How many writes have gone through since that refusal.
    pub since: u64,
    /// What the rules say of it now.
    pub why: Why,
    /// What becomes of the host's queues if it goes through, a sentence without full stop.
    pub effect: Option<String>,
    /// What its text means that people may not see, a sentence without full stop.
    pub note: Option<String>,
}

/// Explains the last write that a host refused; `None` if it refused none.
///
/// # Errors
/// If it is no emulated host, or cannot be read.
pub fn last(tree: &mut dyn Tree, root: &str) -> Result<Option<Explained>, CliError> {
    let text = tree.read(&format!("{DIRECTORY}/refusal")).map_err(|_| {
        CliError::usage(format!("{root} is no emulated host, and a real one does not keep what it refused"))
            .hint("say which write: `apmatrix why /sys/bus/ap/apmask +4`")
    })?;
    let Some(refused) = Refused::parse(&text) else { return Ok(None) };
    let gone = refused.matrix.zip(refused.mdev());
    let store = Store { path: refused.path, text: refused.text };
    let imported = import(tree).map_err(|error| unreadable(root, error))?;
    let mut state = imported.state;
    // Who is refused often removes the mdev: then it is about the mdev as it was.
    let gone = gone.filter(|(_, uuid)| !state.mdevs.contains_key(uuid));
    if let Some((matrix, uuid)) = gone {
        let shadow = state.filtered(&matrix);
        state.mdevs.insert(uuid, Mdev { matrix, shadow, holder: None });
    }
    let mut explained = explained(&state, store, Some(refused.errno));
    if gone.is_some() {
        let is_gone = "its mdev is gone since: this is said of it as it was".to_owned();
        explained.note = Some(explained.note.map_or(is_gone.clone(), |note| format!("{is_gone}; {note}")));
    }
    Ok(Some(Explained { since: refused.since, ..explained }))
}

/// What is said where no write was refused: that, and who lost something all the same, by a reset that failed.
///
/// # Errors
/// If the host cannot be read.
pub fn nothing(tree: &mut dyn Tree, root: &str, width: usize) -> Result<String, CliError> {
    let state = import(tree).map_err(|error| unreadable(root, error))?.state;
    let lines = lacking(&state).into_iter().map(|line| format!("note: {line}"));
    Ok([NOTHING.to_owned()].into_iter().chain(lines).map(|line| wrapped(&line, width, 2) + "\n").collect())
}

/// Explains a write that somebody may do.
///
/// # Errors
/// If there is no such file, or the host cannot be read.
pub fn asked(tree: &mut dyn Tree, root: &str, path: &str, text: &str) -> Result<Explained, CliError> {
    let asked = path;
    if asked.is_empty() {
        let error = CliError::usage("the path is empty");
        return Err(error.hint("say which file: `apmatrix why /sys/bus/ap/apmask +4`"));
    }
    let path = find(tree, root, asked)?;
    if tree.list(&path).is_ok() {
        let text = format!("{asked} is a directory: a write to it is refused with EISDIR");
        return Err(CliError::failed(text).hint(format!("`ls {root}/{path}` lists its files")));
    }
    if tree.is_writable(&path) == Some(false) {
        let text = format!("{asked} is only read: a write to it is refused with EACCES");
        return Err(CliError::failed(text).hint(format!("`cat {root}/{path}` shows it")));
    }
    let imported = import(tree).map_err(|error| unreadable(root, error))?;
    Ok(explained(&imported.state, Store { path, text: text.to_owned() }, None))
}

fn explained(state: &State, store: Store, refused: Option<Errno>) -> Explained {
    let why = why(state, &store);
    let effect = moved(state, &store).filter(|_| why == Why::Allowed);
    let notes = if why == Why::Unknown { Vec::new() } else { of_write(state, &store) };
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    Explained { store, refused, since: 0, why, effect, note }
}

/// A path without the root before it: as it is written, or as both are from `/` on.
fn below_root(root: &str, path: &str) -> Option<String> {
    if let Some(inside) = path.strip_prefix(root).or_else(|| path.strip_prefix("/sys")) {
        return Some(inside.to_owned());
    }
    let whole = |path: &str| std::path::absolute(path).ok();
    let roots = [whole(root), std::fs::canonicalize(root).ok()];
    let path = Path::new(path).is_absolute().then(|| whole(path))??;
    let inside = roots.into_iter().flatten().find_map(|root| path.strip_prefix(root).ok())?;
    inside.to_str().map(str::to_owned)
}

/// The file that a path names: below the root, below `/sys`, or shorter (`apmask`, `UUID/assign_domain`).
fn find(tree: &mut dyn Tree, root: &str, path: &str) -> Result<String, CliError> {
    let inside = below_root(root, path).unwrap_or_else(|| path.to_owned());
    let inside = inside.trim_matches('/');
    for below in BELOW {
        let full = format!("{below}{inside}");
        let (directory, name) = full.rsplit_once('/').unwrap_or(("", &full));
        if tree.list(directory).is_ok_and(|names| names.iter().any(|known| known == name)) {
            return Ok(full);
        }
    }
    let bare = Some(inside).filter(|file| !file.contains('/'));
    let hint = match bare.and_then(|file| which(tree, file)) {
        Some(which) => which,
        None => {
            let mut near = BELOW.iter().filter_map(|below| near(tree, below, inside)).collect::<Vec<_>>();
            // Nobody means to write to a file that is only read.
            near.retain(|path| tree.list(path).is_ok() || tree.is_writable(path) != Some(false));
            let (directory, _) = inside.rsplit_once('/').unwrap_or(("bus/ap", inside));
            match near.first() {
                Some(near) => format!("did you mean `{near}`?"),
                None if matches!(inside.split_once('/'), Some((name, _)) if ap_types::grammar::uuid(name.as_bytes()).is_ok()) =>
                {
                    format!("there is no mdev of that UUID: `ls {root}/devices/vfio_ap/matrix` lists all")
                }
                None if tree.list(directory).is_ok() => {
                    format!("`ls {root}/{directory}` lists what is there")
                }
                None => format!("there is no directory {root}/{directory} either"),
            }
        }
    };
    Err(CliError::failed(format!("there is no file {path}: a write to it is refused with ENOENT or EACCES"))
        .hint(hint))
}

/// Which of several directories is meant, where a file is named without one: `assign_adapter`, `bind`, `online`.
fn which(tree: &mut dyn Tree, file: &str) -> Option<String> {
    for (what, all) in [
        ("mdev", "devices/vfio_ap/matrix"),
        ("driver", "bus/ap/drivers"),
        ("card or queue", "bus/ap/devices"),
    ] {
        let mut found = Vec::new();
        // A file of queues is none of cards, and the other way round; the first of each kind tells.
        for name in tree.list(all).unwrap_or_default() {
            let kind = (name.starts_with("card"), name.contains('.'));
            let known = |(_, other): &(String, _)| *other == kind && what == "card or queue";
            if found.iter().any(known) {
                continue;
            }
            if tree.list(&format!("{all}/{name}")).is_ok_and(|names| names.iter().any(|known| known == file))
            {
                found.push((name, kind));
            }
        }
        if let [(first, _), rest @ ..] = found.as_slice() {
            let or = rest.first().map_or_else(String::new, |(name, _)| format!(" or `{name}/{file}`"));
            return Some(format!("which {what}? Write `{first}/{file}`{or}"));
        }
    }
    // Without an mdev there is none to look at.
    let of_mdevs = file.contains("assign_") || matches!(file, "ap_config" | "remove");
    of_mdevs.then(|| {
        format!("which mdev? Write `UUID/{file}`; none is there now: write a UUID to `create` first")
    })
}

/// The path below a directory that is meant by one of which some names are mistyped; `None` if nothing is near.
fn near(tree: &mut dyn Tree, below: &str, path: &str) -> Option<String> {
    let mut at = below.trim_end_matches('/').to_owned();
    for name in path.split('/') {
        let known = tree.list(&at).ok()?;
        let names = || known.iter().map(String::as_str);
        let here = names().find(|known| *known == name);
        let found = here.or_else(|| numbered(name, names())).or_else(|| begun(name, names()));
        let found = found.or_else(|| meant(name, names()))?;
        if !at.is_empty() {
            at.push('/');
        }
        at += found;
    }
    Some(at)
}

impl Explained {
    /// Whether it would be refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self.why, Why::Refused(_))
    }

    /// The first line: what comes of it.
    fn headline(&self) -> String {
        let write = format!("{} > /sys/{}", quoted(&self.store.text), self.store.path);
        let said = |name: &str| match Errno::from_name(name) {
            Some(errno) => format!("{name}, {errno}"),
            None => name.to_owned(),
        };
        match (&self.why, self.refused) {
            (Why::Refused(because), None) => {
                format!("would be refused ({}): {write}", said(because.errno.unwrap_or("it waits")))
            }
            (Why::Refused(because), Some(errno)) if because.errno == Some(errno.name()) => {
                format!("refused ({}): {write}", said(errno.name()))
            }
            (Why::Refused(because), Some(errno)) => format!(
                "was refused ({}), and would now be for another reason ({}): {write}",
                said(errno.name()),
                said(because.errno.unwrap_or("it waits"))
            ),
            (Why::Waits(_), _) => format!("waits: {write}"),
            (Why::Allowed, None) => format!("goes through: {write}"),
            (Why::Allowed, Some(errno)) => format!(
                "was refused ({}), and would go through now, as the host has changed since: {write}",
                said(errno.name())
            ),
            (Why::Unknown, None) => format!("not known: no rule is about this file: {write}"),
            (Why::Unknown, Some(errno)) => {
                format!("refused ({}): {write}; no rule is known about this file", said(errno.name()))
            }
        }
    }

    /// That it is not about what was written last, where that went through.
    fn before(&self) -> String {
        match self.since {
            0 => String::new(),
            1 => "the last refusal; 1 write has gone through since\n".to_owned(),
            more => format!("the last refusal; {more} writes have gone through since\n"),
        }
    }

    /// For people.
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let mut text = self.before() + &wrapped(&self.headline(), width, 2) + "\n";
        let (Why::Refused(because) | Why::Waits(because)) = &self.why else {
            let mut table = Table::indented(0);
            for (name, said) in [("effect", &self.effect), ("note", &self.note)] {
                if let Some(said) = said {
                    table.row([name, said]);
                }
            }
            return text + &table.render(width);
        };
        let mut table = Table::indented(0);
        table.row(["why", &because.reason]);
        if let Some(note) = &self.note {
            table.row(["note", note]);
        }
        for (number, whose) in because.queues.iter().enumerate() {
            table.row([if number == 0 { "queues" } else { "" }, &format!("{} {whose}", whose.queue)]);
        }
        if because.more > 0 {
            table.row(["", &format!("and {} more", because.more)]);
        }
        table.row(["rule", because.rule.text()]);
        table.row(["", &format!("{PAGE}#{}", because.rule.name())]);
        table.row(["change", &because.change.text]);
        text += &table.render(width);
        let writes = |change: &Change| -> String {
            let commands = commands(change, width.saturating_sub(INDENT));
            commands.iter().map(|command| format!("{:INDENT$}{command}\n", "")).collect()
        };
        text += &writes(&because.change);
        if let Some(or) = &because.or {
            text += &wrapped(&format!("{:INDENT$}{}", "or", or.text), width, INDENT);
            text.push('\n');
            text += &writes(or);
        }
        text
    }

    /// For scripts: `apmatrix.why/1`.
    #[must_use]
    pub fn document(&self) -> Document<'_> {
        let because = match &self.why {
            Why::Refused(because) | Why::Waits(because) => Some(because),
            Why::Allowed | Why::Unknown => None,
        };
        Document {
            path: Some(&self.store.path),
            text: Some(&self.store.text),
            refused: self.refused.map(Errno::name),
            writes_since: self.refused.map(|_| self.since),
            now: match self.why {
                Why::Allowed => "allowed",
                Why::Waits(_) => "waits",
                Why::Refused(_) => "refused",
                Why::Unknown => "unknown",
            },
            errno: because.and_then(|because| because.errno),
            reason: because.map(|because| because.reason.as_str()),
            rule: because.map(|because| RuleDocument {
                name: because.rule.name(),
                text: because.rule.text(),
                page: format!("{PAGE}#{}", because.rule.name()),
            }),
            effect: self.effect.as_deref(),
            note: self.note.as_deref(),
            queues: because.map(queues).unwrap_or_default(),
            more_queues: because.map_or(0, |because| because.more),
            change: because.map(|because| ChangeDocument::of(&because.change)),
            or: because.and_then(|because| because.or.as_ref()).map(ChangeDocument::of),
            ..Document::nothing()
        }
    }
}

impl Document<'_> {
    /// That nothing was refused so far.
    #[must_use]
    pub fn nothing() -> Self {
        Document {
            schema: "apmatrix.why/1",
            path: None,
            text: None,
            refused: None,
            writes_since: None,
            now: "nothing",
            errno: None,
            reason: None,
            rule: None,
            effect: None,
            note: None,
            queues: Vec::new(),
            more_queues: 0,
            change: None,
            or: None,
        }
    }
}

/// How far the change's commands are indented: as the sentence above them.
const INDENT: usize = 8;

/// The change as commands of a shell; where one is wider than that, in the directory of its file.
fn commands(change: &Change, width: usize) -> Vec<String> {
    let (mut lines, mut at) = (Vec::new(), "");
    for Store { path, text } in &change.stores {
        let whole = format!("echo {} > /sys/{path}", quoted(text));
        match path.rsplit_once('/') {
            Some((directory, file)) if whole.chars().count() > width => {
                if at != directory {
                    lines.push(format!("cd /sys/{directory}"));
                    at = directory;
                }
                lines.push(format!("echo {} > {file}", quoted(text)));
            }
            _ => lines.push(whole),
        }
    }
    lines
}

/// A text as a shell's word; without its last newline, which `echo` adds.
fn quoted(text: &str) -> String {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-_.,:/".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    if text.chars().any(char::is_control) {
        // As bash writes it, so that no terminal takes it for a command.
        let one = |letter: char| match letter {
            '\'' | '\\' => format!("\\{letter}"),
            letter if letter.is_ascii_control() => format!("\\x{:02x}", u32::from(letter)),
            letter if letter.is_control() => format!("\\u{:04x}", u32::from(letter)),
            letter => letter.to_string(),
        };
        return format!("$'{}'", text.chars().map(one).collect::<String>());
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A document for scripts.
#[derive(Serialize, schemars::JsonSchema)]
pub struct Document<'a> {
    /// Always `apmatrix.why/1`.
    schema: &'static str,
    /// The file, below `/sys`; `null` if nothing was refused so far.
    path: Option<&'a str>,
    /// What is written.
    text: Option<&'a str>,
    /// What the write was answered, if it is the last one that was refused.
    refused: Option<&'static str>,
    /// How many writes have gone through since that refusal.
    writes_since: Option<u64>,
    /// What would come of it now: `allowed`, `waits`, `refused`, `unknown`; `nothing` if nothing was refused so far.
    now: &'static str,
    /// What write(2) would answer now.
    errno: Option<&'static str>,
    /// Why, a sentence without full stop.
    reason: Option<&'a str>,
    /// The rule.
    rule: Option<RuleDocument>,
    /// What becomes of the host's queues if it goes through, a sentence without full stop.
    effect: Option<&'a str>,
    /// What its text means that people may not see, a sentence without full stop.
    note: Option<&'a str>,
    /// The queues that are in the way, the first few of them.
    queues: Vec<QueueDocument>,
    /// How many there are beside those.
    more_queues: usize,
    /// The smallest change that lets it through.
    change: Option<ChangeDocument<'a>>,
    /// The smallest by the other mask, where queues are reserved for the host; or one that costs the same and takes ids of
    /// the other kind.
    or: Option<ChangeDocument<'a>>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct RuleDocument {
    name: &'static str,
    text: &'static str,
    page: String,
}

#[derive(Serialize, schemars::JsonSchema)]
struct QueueDocument {
    queue: String,
    owner: Option<String>,
    driver: Option<&'static str>,
    holder: Option<String>,
    by: Vec<String>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct ChangeDocument<'a> {
    text: &'a str,
    writes: Vec<WriteDocument>,
}

impl<'a> ChangeDocument<'a> {
    fn of(change: &'a Change) -> ChangeDocument<'a> {
        let writes = change.stores.iter().cloned().map(WriteDocument::from).collect();
        ChangeDocument { text: &change.text, writes }
    }
}

#[derive(Serialize, schemars::JsonSchema)]
struct WriteDocument {
    path: String,
    text: String,
}

impl From<Store> for WriteDocument {
    fn from(store: Store) -> WriteDocument {
        WriteDocument { path: store.path, text: store.text }
    }
}

fn queues(because: &Because) -> Vec<QueueDocument> {
    let document = |whose: &ap_plan::why::Whose| QueueDocument {
        queue: whose.queue.to_string(),
        owner: whose.owner.map(|owner| owner.to_string()),
        driver: whose.driver.map(|driver| driver.name()),
        holder: whose.holder.as_ref().map(ToString::to_string),
        by: whose.by.clone(),
    };
    because.queues.iter().map(document).collect()
}
