//! The builtins that list directories: `ls` and `tree`.

use ap_sysfs::{Entry, Errno, Kind};

use super::files::mode_text;
use super::options::options;
use crate::outcome::Status;
use crate::run::context::{Context, Flow};

/// How deep `tree` goes at most.
const MAX_DEPTH: usize = 64;

pub(super) fn ls(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let (letters, paths) = match options(args, "adl1") {
        Ok(found) => found,
        Err(what) => return Ok(context.misused("ls", &what)),
    };
    let (long, itself) = (letters.contains(&'l'), letters.contains(&'d'));
    let here = [".".to_owned()];
    let paths = if paths.is_empty() { &here[..] } else { paths };
    let mut status = Status::OK;
    let (mut single, mut directories) = (Vec::new(), Vec::new());
    for path in paths {
        match named(context, path, long || itself) {
            Ok(entry) if entry.kind == Kind::Directory && !itself => directories.push(path),
            Ok(entry) => single.push((path.clone(), entry)),
            Err(errno) => {
                let hint =
                    context.hint(path, errno, "").map_or_else(String::new, |hint| format!(" ({hint})"));
                context.complain(&format!("ls: cannot access '{path}': {errno}{hint}"));
                status = Status { code: 2, errno: Some(errno) };
            }
        }
    }
    let lines = lines(context, "", &single, long);
    context.print(lines.as_bytes());
    for (i, path) in directories.iter().enumerate() {
        let entries = match context.list_directory(path) {
            Ok(entries) => entries,
            Err(errno) => {
                context.complain(&format!("ls: cannot open directory '{path}': {errno}"));
                status = Status { code: 2, errno: Some(errno) };
                continue;
            }
        };
        context.charge(entries.len() as u64)?;
        if paths.len() > 1 {
            let gap = if i > 0 || !single.is_empty() { "\n" } else { "" };
            context.print_line(&format!("{gap}{path}:"));
        }
        let all: Vec<(String, Entry)> =
            entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        let lines = self::lines(context, &format!("{path}/"), &all, long);
        context.print(lines.as_bytes());
    }
    Ok(status)
}

/// The entry of a path on the command line: a link to a directory stands for it, unless it is to be shown itself.
fn named(context: &mut Context<'_>, path: &str, itself: bool) -> Result<Entry, Errno> {
    let entry = context.stat(path, false)?;
    if entry.kind == Kind::Link && !itself {
        return Ok(context.stat(path, true).unwrap_or(entry));
    }
    Ok(entry)
}

fn lines(context: &mut Context<'_>, directory: &str, entries: &[(String, Entry)], long: bool) -> String {
    let width = entries.iter().map(|(_, entry)| entry.size().to_string().len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, entry) in entries {
        if long {
            text += &format!("{} root root {:>width$} {name}", mode_text(entry), entry.size());
            if entry.kind == Kind::Link {
                text += &arrow(context, &format!("{directory}{name}"));
            }
        } else {
            text += name;
        }
        text.push('\n');
    }
    text
}

/// ` -> TARGET`; nothing if the link is gone in the meantime.
fn arrow(context: &mut Context<'_>, path: &str) -> String {
    context.readlink(path).map(|target| format!(" -> {target}")).unwrap_or_default()
}

pub(super) fn tree(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let (mut only_directories, mut depth, mut paths) = (false, MAX_DEPTH, args);
    loop {
        match paths {
            [option, rest @ ..] if option == "-d" => (only_directories, paths) = (true, rest),
            [option, number, rest @ ..] if option == "-L" => match number.parse::<usize>() {
                Ok(number) if number > 0 => (depth, paths) = (number.min(MAX_DEPTH), rest),
                _ => return Ok(context.misused("tree", "-L needs a number from 1")),
            },
            [option, ..] if option.starts_with('-') && option.len() > 1 => {
                return Ok(context.misused("tree", &format!("option {option} is unknown or incomplete")));
            }
            _ => break,
        }
    }
    let here = [".".to_owned()];
    let paths = if paths.is_empty() { &here[..] } else { paths };
    let mut status = Status::OK;
    for path in paths {
        match context.list_directory(path) {
            Ok(entries) => {
                context.print_line(path);
                let mut walk = Walk { only_directories, depth, counts: [0, 0] };
                walk.entries(context, path, "", 1, entries)?;
                context.print_line(&walk.summary());
            }
            Err(errno) => status = context.failed_on("tree", path, errno),
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
        context: &mut Context<'_>,
        path: &str,
        indent: &str,
        level: usize,
        mut entries: Vec<Entry>,
    ) -> Result<(), Flow> {
        context.charge(1 + entries.len() as u64)?;
        if self.only_directories {
            entries.retain(|entry| entry.kind == Kind::Directory);
        }
        let last = entries.len().saturating_sub(1);
        for (i, entry) in entries.into_iter().enumerate() {
            let (branch, below) = if i == last { ("└── ", "    ") } else { ("├── ", "│   ") };
            let full = format!("{path}/{}", entry.name);
            let target = if entry.kind == Kind::Link { arrow(context, &full) } else { String::new() };
            context.print_line(&format!("{indent}{branch}{}{target}", entry.name));
            self.counts[usize::from(entry.kind != Kind::Directory)] += 1;
            if entry.kind == Kind::Directory && level < self.depth {
                // A directory that is gone in the meantime is shown as empty.
                let inner = context.list_directory(&full).unwrap_or_default();
                self.entries(context, &full, &format!("{indent}{below}"), level + 1, inner)?;
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
