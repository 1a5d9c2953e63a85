//! The command `apmatrix`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    apmatrix::stand_ins::main(&arguments).unwrap_or_else(|| apmatrix::cli::main(arguments))
}
