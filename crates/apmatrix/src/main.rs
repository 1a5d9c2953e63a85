//! The command `apmatrix`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    apmatrix::cli::main(std::env::args_os())
}
