//! `sudo` where everybody is root: it executes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::arguments::{Known, parse, text};
use super::output::print;

const SUDO: &[Known] = &[
    ('A', "askpass", false),
    ('b', "background", false),
    ('B', "bell", false),
    ('C', "close-from", true),
    ('D', "chdir", true),
    ('E', "preserve-env", false),
    ('g', "group", true),
    ('H', "set-home", false),
    ('h', "host", true),
    ('i', "login", false),
    ('K', "remove-timestamp", false),
    ('k', "reset-timestamp", false),
    ('l', "list", false),
    ('N', "no-update", false),
    ('n', "non-interactive", false),
    ('P', "preserve-groups", false),
    ('p', "prompt", true),
    ('S', "stdin", false),
    ('s', "shell", false),
    ('T', "command-timeout", true),
    ('U', "other-user", true),
    ('u', "user", true),
    ('V', "version", false),
    ('v', "validate", false),
    ('\0', "help", false),
];

/// Executes a command as the only user that there is.
pub fn sudo(raw: &[OsString]) -> u8 {
    let mut arguments = text(raw);
    // `--preserve-env=LIST` is the one option whose value is optional, `-h` alone the one letter that means two things.
    for word in arguments.iter_mut().filter(|word| word.starts_with("--preserve-env=")) {
        word.truncate("--preserve-env".len());
    }
    if arguments == ["-h"] {
        arguments = vec!["--help".to_owned()];
    }
    let given = match parse(&arguments, SUDO, true) {
        Ok(given) => given,
        Err(text) => {
            eprintln!("sudo: {text}");
            return 1;
        }
    };
    if given.has("version") || given.has("help") {
        print("sudo of apmatrix: an ordinary user is root in a run, and nobody else exists there");
        return 0;
    }
    if let Some(user) = given.value("user").filter(|user| !matches!(*user, "root" | "#0" | "0")) {
        eprintln!("sudo: there is nobody but root in an ordinary user's run: no {user}");
        return 1;
    }
    // The command's own words are handed on as they came.
    let words = &raw[raw.len() - given.words.len().min(raw.len())..];
    let assigned = given.words.iter().take_while(|word| is_assignment(word)).count();
    let (variables, command) = words.split_at(assigned);
    let shell = || std::env::var("SHELL").ok().filter(|shell| !shell.is_empty()).unwrap_or("/bin/sh".into());
    let mut prepared = match command.split_first() {
        Some((program, rest)) if !given.has("shell") && !given.has("login") => {
            let mut prepared = Command::new(program);
            prepared.args(rest);
            prepared
        }
        Some(_) => {
            let mut prepared = Command::new(shell());
            prepared.args(["-c", "\"$@\"", "sh"]).args(command);
            prepared
        }
        None if given.has("shell") || given.has("login") => Command::new(shell()),
        None => {
            return u8::from(
                !["validate", "list"].iter().any(|name| given.has(name)) && given.options.is_empty(),
            );
        }
    };
    if given.has("login") {
        prepared.current_dir("/root").env("HOME", "/root");
    }
    if let Some(directory) = given.value("chdir") {
        prepared.current_dir(directory);
    }
    let variables = variables.iter().filter_map(|variable| {
        let bytes = variable.as_bytes();
        let at = bytes.iter().position(|byte| *byte == b'=')?;
        Some((OsStr::from_bytes(&bytes[..at]), OsStr::from_bytes(&bytes[at + 1..])))
    });
    prepared.envs(variables).envs([("SUDO_USER", "root"), ("SUDO_UID", "0"), ("SUDO_GID", "0")]);
    let error = prepared.exec();
    let program = prepared.get_program().to_string_lossy().into_owned();
    // A directory of the path that may not be read makes it EACCES.
    let unknown = !program.contains('/') && error.kind() == std::io::ErrorKind::PermissionDenied;
    match error.kind() {
        _ if unknown => eprintln!("sudo: {program}: command not found"),
        std::io::ErrorKind::NotFound => eprintln!("sudo: {program}: command not found"),
        _ => eprintln!("sudo: {program}: {}", ap_files::said(&error)),
    }
    1
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
    })
}
