//! `ls` and `tree`.

use ap_sysfs::{Entry, Errno, Kind};

use super::files::mode_text;
use super::options;
use crate::run::{Flow, Interp};
use crate::shell::Status;

/// How deep `tree` goes at most.
const MAX_DEPTH: usize = 64;

pub(super) fn ls(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    let (letters, paths) = match options(args, "adl1") {
        Ok(found) => found,
        Err(what) => return Ok(interp.misused("ls", &what)),
    };
    let (long, itself) = (letters.contains(&'l'), letters.contains(&'d'));
    let here = [".".to_owned()];
    let paths = if paths.is_empty() { &here[..] } else { paths };
    let mut status = Status::OK;
    let (mut single, mut directories) = (Vec::new(), Vec::new());
    for path in paths {
        match named(interp, path, long || itself) {
            Ok(entry) if entry.kind == Kind::Directory && !itself => directories.push(path),
            Ok(entry) => single.push((path.clone(), entry)),
            Err(errno) => {
                interp.complain(&format!("ls: cannot access '{path}': {errno}"));
                status = Status { code: 2, errno: Some(errno) };
            }
        }
    }
    let lines = lines(interp, "", &single, long);
    interp.print(lines.as_bytes());
    for (i, path) in directories.iter().enumerate() {
        let entries = match interp.list_directory(path) {
            Ok(entries) => entries,
            Err(errno) => {
                interp.complain(&format!("ls: cannot open directory '{path}': {errno}"));
                status = Status { code: 2, errno: Some(errno) };
                continue;
            }
        };
        interp.charge(entries.len() as u64)?;
        if paths.len() > 1 {
            let gap = if i > 0 || !single.is_empty() { "\n" } else { "" };
            interp.print_line(&format!("{gap}{path}:"));
        }
        let all: Vec<(String, Entry)> =
            entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        let lines = self::lines(interp, &format!("{path}/"), &all, long);
        interp.print(lines.as_bytes());
    }
    Ok(status)
}

/// The entry of a path on the command line: a link to a directory stands for it, unless it is to be shown itself.
fn named(interp: &mut Interp<'_>, path: &str, itself: bool) -> Result<Entry, Errno> {
    let entry = interp.stat(path, false)?;
    if entry.kind == Kind::Link && !itself {
        return Ok(interp.stat(path, true).unwrap_or(entry));
    }
    Ok(entry)
}

fn lines(interp: &mut Interp<'_>, directory: &str, entries: &[(String, Entry)], long: bool) -> String {
    let width = entries.iter().map(|(_, entry)| entry.size().to_string().len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, entry) in entries {
        if long {
            text += &format!("{} root root {:>width$} {name}", mode_text(entry), entry.size());
            if entry.kind == Kind::Link {
                text += &arrow(interp, &format!("{directory}{name}"));
            }
        } else {
            text += name;
        }
        text.push('\n');
    }
    text
}

/// ` -> TARGET`; nothing if the link is gone in the meantime.
fn arrow(interp: &mut Interp<'_>, path: &str) -> String {
    interp.readlink(path).map(|target| format!(" -> {target}")).unwrap_or_default()
}

pub(super) fn tree(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    let (mut only_directories, mut depth, mut paths) = (false, MAX_DEPTH, args);
    loop {
        match paths {
            [option, rest @ ..] if option == "-d" => (only_directories, paths) = (true, rest),
            [option, number, rest @ ..] if option == "-L" => match number.parse::<usize>() {
                Ok(number) if number > 0 => (depth, paths) = (number.min(MAX_DEPTH), rest),
                _ => return Ok(interp.misused("tree", "-L needs a number from 1")),
            },
            [option, ..] if option.starts_with('-') && option.len() > 1 => {
                return Ok(interp.misused("tree", &format!("option {option} is unknown or incomplete")));
            }
            _ => break,
        }
    }
    let here = [".".to_owned()];
    let paths = if paths.is_empty() { &here[..] } else { paths };
    let mut status = Status::OK;
    for path in paths {
        match interp.list_directory(path) {
            Ok(entries) => {
                interp.print_line(path);
                let mut walk = Walk { only_directories, depth, counts: [0, 0] };
                walk.entries(interp, path, "", 1, entries)?;
                interp.print_line(&walk.summary());
            }
            Err(errno) => status = interp.failed_on("tree", path, errno),
        }
    }
    Ok(status)
}

struct Walk {
    only_directories: bool,
    depth: usize,
    /// Directories, and other entries.
    counts: [u64; 2],
}

impl Walk {
    fn entries(
        &mut self,
        interp: &mut Interp<'_>,
        path: &str,
        indent: &str,
        level: usize,
        mut entries: Vec<Entry>,
    ) -> Result<(), Flow> {
        interp.charge(1 + entries.len() as u64)?;
        if self.only_directories {
            entries.retain(|entry| entry.kind == Kind::Directory);
        }
        let last = entries.len().saturating_sub(1);
        for (i, entry) in entries.into_iter().enumerate() {
            let (branch, below) = if i == last { ("└── ", "    ") } else { ("├── ", "│   ") };
            let full = format!("{path}/{}", entry.name);
            let target = if entry.kind == Kind::Link { arrow(interp, &full) } else { String::new() };
            interp.print_line(&format!("{indent}{branch}{}{target}", entry.name));
            self.counts[usize::from(entry.kind != Kind::Directory)] += 1;
            if entry.kind == Kind::Directory && level < self.depth {
                // A directory that is gone in the meantime is shown as empty.
                let inner = interp.list_directory(&full).unwrap_or_default();
                self.entries(interp, &full, &format!("{indent}{below}"), level + 1, inner)?;
            }
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let [directories, others] = self.counts;
        let count = |n: u64, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
        let directories = count(directories, "directory", "directories");
        if self.only_directories {
            format!("\n{directories}")
        } else {
            format!("\n{directories}, {}", count(others, "file", "files"))
        }
    }
}
