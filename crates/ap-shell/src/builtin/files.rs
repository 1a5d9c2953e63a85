//! The builtins that look at one entry of the tree: `cat`, `readlink`, `stat`, `cd`, `pwd`.

use ap_sysfs::{Entry, Errno, Kind};

use super::options::options;
use crate::outcome::Status;
use crate::run::context::{Context, Flow};

pub(super) fn cat(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let paths = match options(args, "") {
        Ok((_, paths)) if !paths.is_empty() => paths,
        Ok(_) => return Ok(context.misused("cat", "a path is missing, there is no standard input")),
        Err(what) => return Ok(context.misused("cat", &what)),
    };
    let mut status = Status::OK;
    for path in paths {
        match context.read(path) {
            Ok(bytes) => {
                context.charge_bytes(bytes.len())?;
                context.print(&bytes);
            }
            Err(errno) => status = context.failed_on("cat", path, errno),
        }
    }
    Ok(status)
}

pub(super) fn readlink(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let paths = match options(args, "") {
        Ok((_, paths)) if !paths.is_empty() => paths,
        Ok(_) => return Ok(context.misused("readlink", "a path is missing")),
        Err(what) => return Ok(context.misused("readlink", &what)),
    };
    let mut status = Status::OK;
    for path in paths {
        match context.readlink(path) {
            Ok(target) => context.print_line(&target),
            Err(errno) => status = context.failed_on("readlink", path, errno),
        }
    }
    Ok(status)
}

pub(super) fn stat(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let (mut follow, mut format, mut paths) = (false, None, args);
    loop {
        match paths {
            [option, rest @ ..] if option == "-L" => (follow, paths) = (true, rest),
            [option, text, rest @ ..] if option == "-c" => (format, paths) = (Some(text), rest),
            [option, ..] if option.starts_with('-') && option.len() > 1 => {
                return Ok(context.misused("stat", &format!("option {option} is unknown or incomplete")));
            }
            [] => return Ok(context.misused("stat", "a path is missing")),
            _ => break,
        }
    }
    let mut status = Status::OK;
    for path in paths {
        let entry = match context.stat(path, follow) {
            Ok(entry) => entry,
            Err(errno) => {
                status = context.failed_on("stat", path, errno);
                continue;
            }
        };
        let named = match entry.kind {
            Kind::Link => format!("{path} -> {}", context.readlink(path).unwrap_or_default()),
            _ => path.clone(),
        };
        match format {
            Some(format) => context.print_line(&formatted(format, path, &named, &entry)),
            None => context.print_line(&format!(
                "  File: {named}\n  Type: {}\n  Size: {}\nAccess: ({:04o}/{})",
                kind_name(entry.kind),
                entry.size(),
                entry.mode,
                mode_text(&entry)
            )),
        }
    }
    Ok(status)
}

fn formatted(format: &str, path: &str, named: &str, entry: &Entry) -> String {
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => text += path,
            Some('N') => text += named,
            Some('F') => text += kind_name(entry.kind),
            Some('s') => text += &entry.size().to_string(),
            Some('a') => text += &format!("{:o}", entry.mode),
            Some('A') => text += &mode_text(entry),
            Some('%') => text.push('%'),
            Some(_) => text.push('?'),
            None => text.push('%'),
        }
    }
    text
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Directory => "directory",
        Kind::File => "regular file",
        Kind::Link => "symbolic link",
    }
}

/// `-rw-r--r--`.
pub(super) fn mode_text(entry: &Entry) -> String {
    let kind = match entry.kind {
        Kind::Directory => 'd',
        Kind::File => '-',
        Kind::Link => 'l',
    };
    let bits = "rwxrwxrwx".chars().enumerate();
    std::iter::once(kind)
        .chain(bits.map(|(i, letter)| if entry.mode & (0o400 >> i) != 0 { letter } else { '-' }))
        .collect()
}

pub(super) fn cd(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let path = match args {
        [] => "/sys",
        [path] => path,
        _ => return Ok(context.misused("cd", "too many words")),
    };
    let target = match context.absolute(path) {
        Ok(full) => logical(&full),
        Err(errno) => return Ok(context.failed_on("cd", path, errno)),
    };
    match context.stat(&target, true) {
        Ok(Entry { kind: Kind::Directory, .. }) => {
            context.state.env.cwd = target;
            Ok(Status::OK)
        }
        Ok(_) => Ok(context.failed_on("cd", path, Errno::ENOTDIR)),
        Err(errno) => Ok(context.failed_on("cd", path, errno)),
    }
}

/// A path without `.`, `..` and double slashes, as a shell keeps its directory: `..` takes a name off the path,
/// whatever it links to.
fn logical(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            _ => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

pub(super) fn pwd(context: &mut Context<'_>, _: &[String]) -> Result<Status, Flow> {
    let cwd = context.state.env.cwd.clone();
    context.print_line(&cwd);
    Ok(Status::OK)
}
