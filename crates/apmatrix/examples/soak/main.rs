//! Mixed load on a private `/sys` for as long as one likes, and whether the server's memory stays:
//! `soak [--minutes 60] [--rate 1000] [--machine default]`, by hand.
//!
//! Three processes: this one watches; its child is the server, as `apmatrix run` is; the server's command is the
//! load. All that the load does has an answer that it must get: another errno, a stale name or listing, a call that
//! does not return, and at the end memory or open files of the server that grew, are an exit status of 1.

#![forbid(unsafe_code)]

mod load;
mod sample;
mod watch;
mod work;

use std::process::ExitCode;

use ap_files::MachineFile;
use ap_files::boot::factory;
use ap_files::machine::built_in;
use ap_fuse::RunOptions;

/// What the command line says.
#[derive(Clone, Debug)]
struct Options {
    minutes: f64,
    /// Operations a second, of all workers together: the default takes a third of a processor.
    rate: u64,
    machine: String,
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let role = match arguments.first().map(String::as_str) {
        Some("serve" | "load" | "once") => arguments.remove(0),
        _ => "watch".to_owned(),
    };
    let mut options = Options { minutes: 60.0, rate: 1000, machine: "default".to_owned() };
    for pair in arguments.chunks(2) {
        let known = match pair {
            [name, value] if name == "--minutes" => {
                value.parse().map(|value| options.minutes = value).is_ok()
            }
            [name, value] if name == "--rate" => value.parse().map(|value| options.rate = value).is_ok(),
            [name, value] if name == "--machine" => {
                options.machine.clone_from(value);
                true
            }
            _ => false,
        };
        if !known {
            eprintln!("soak [--minutes N] [--rate OPERATIONS-A-SECOND] [--machine NAME]: what is {pair:?}?");
            return ExitCode::from(2);
        }
    }
    match role.as_str() {
        "serve" => serve(&options),
        "load" => load::run(options.rate),
        "once" => work::once(),
        _ => watch::run(&options),
    }
}

/// The arguments of a process of ours in another role.
fn arguments(role: &str, options: &Options) -> Vec<String> {
    let rate = options.rate.to_string();
    [role, "--rate", &rate, "--machine", &options.machine].map(str::to_owned).to_vec()
}

fn serve(options: &Options) -> ExitCode {
    let Some(built_in) = built_in(&options.machine) else {
        eprintln!("soak: there is no built-in machine {}", options.machine);
        return ExitCode::from(2);
    };
    let machine = MachineFile::parse(built_in.name, built_in.text).expect("a built-in machine is right");
    let mut run = RunOptions::default();
    run.command.push(std::env::current_exe().expect("our own path").into());
    run.command.extend(arguments("load", options).into_iter().map(Into::into));
    match ap_fuse::run(&run, factory(machine)).map(ap_fuse::Ended::status) {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(125)),
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::from(u8::try_from(error.exit_status()).unwrap_or(125))
        }
    }
}
