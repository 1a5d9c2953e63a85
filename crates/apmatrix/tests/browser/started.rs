//! `apmatrix serve`, started and asked where it listens.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// Starts it with these arguments: the program that was built with the test, or the one that `MEASURED` names.
pub fn serve(arguments: &[&str]) -> (Child, SocketAddr) {
    let measured = std::env::var_os("MEASURED");
    let mut command = Command::new(measured.unwrap_or_else(|| env!("CARGO_BIN_EXE_apmatrix").into()));
    command.arg("serve").args(arguments);
    listening(command)
}

/// Starts a command that becomes it at last.
pub fn listening(mut command: Command) -> (Child, SocketAddr) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("its address");
    let address = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix('/'));
    (child, address.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("`{line}`")))
}
