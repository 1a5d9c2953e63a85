//! `cat`, `readlink`, `stat`, `cd`, `pwd`.

use ap_sysfs::{Entry, Errno, Kind};

use super::options;
use crate::run::{Flow, Interp};
use crate::shell::Status;

pub(super) fn cat(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    let paths = match options(args, "") {
        Ok((_, paths)) if !paths.is_empty() => paths,
        Ok(_) => return Ok(interp.misused("cat", "a path is missing, there is no standard input")),
        Err(what) => return Ok(interp.misused("cat", &what)),
    };
    let mut status = Status::OK;
    for path in paths {
        match interp.read(path) {
            Ok(bytes) => {
                interp.charge_bytes(bytes.len())?;
                interp.print(&bytes);
            }
            Err(errno) => status = interp.failed_on("cat", path, errno),
        }
    }
    Ok(status)
}

pub(super) fn readlink(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    let paths = match options(args, "") {
        Ok((_, paths)) if !paths.is_empty() => paths,
        Ok(_) => return Ok(interp.misused("readlink", "a path is missing")),
        Err(what) => return Ok(interp.misused("readlink", &what)),
    };
    let mut status = Status::OK;
    for path in paths {
        match interp.readlink(path) {
            Ok(target) => interp.print_line(&target),
            Err(errno) => status = interp.failed_on("readlink", path, errno),
        }
    }
    Ok(status)
}

pub(super) fn stat(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    let (mut follow, mut format, mut paths) = (false, None, args);
    loop {
        match paths {
            [option, rest @ ..] if option == "-L" => (follow, paths) = (true, rest),
            [option, text, rest @ ..] if option == "-c" => (format, paths) = (Some(text), rest),
            [option, ..] if option.starts_with('-') && option.len() > 1 => {
                return Ok(interp.misused("stat", &format!("option {option} is unknown or incomplete")));
            }
            [] => return Ok(interp.misused("stat", "a path is missing")),
            _ => break,
        }
    }
    let mut status = Status::OK;
    for path in paths {
        let entry = match interp.stat(path, follow) {
            Ok(entry) => entry,
            Err(errno) => {
                status = interp.failed_on("stat", path, errno);
                continue;
            }
        };
        let named = match entry.kind {
            Kind::Link => format!("{path} -> {}", interp.readlink(path).unwrap_or_default()),
            _ => path.clone(),
        };
        match format {
            Some(format) => interp.print_line(&formatted(format, path, &named, &entry)),
            None => interp.print_line(&format!(
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

pub(super) fn cd(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    let path = match args {
        [] => "/sys",
        [path] => path,
        _ => return Ok(interp.misused("cd", "too many words")),
    };
    let target = match interp.absolute(path) {
        Ok(full) => logical(&full),
        Err(errno) => return Ok(interp.failed_on("cd", path, errno)),
    };
    match interp.stat(&target, true) {
        Ok(Entry { kind: Kind::Directory, .. }) => {
            interp.state.env.cwd = target;
            Ok(Status::OK)
        }
        Ok(_) => Ok(interp.failed_on("cd", path, Errno::ENOTDIR)),
        Err(errno) => Ok(interp.failed_on("cd", path, errno)),
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

pub(super) fn pwd(interp: &mut Interp<'_>, _: &[String]) -> Result<Status, Flow> {
    let cwd = interp.state.env.cwd.clone();
    interp.print_line(&cwd);
    Ok(Status::OK)
}
