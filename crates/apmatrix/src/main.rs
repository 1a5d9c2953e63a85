//! The command `apmatrix`.

use std::process::ExitCode;

fn main() -> ExitCode {
    apmatrix::cli::main(std::env::args_os())
}
