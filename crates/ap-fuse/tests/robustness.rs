//! Many clients, clients and servers that are killed, and calls that panic.

#[path = "robustness/clients.rs"]
mod clients;
#[path = "support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Signal, kill_process};

use support::{
    Skip, Suite, client, finish, finish_child, marked, need_mounts, outcome, own, pid, role, serve, until,
};

fn main() {
    if let Some((role, arguments)) = role() {
        if role == serve::SERVE {
            serve::serve(arguments);
        }
        let arguments: Vec<String> =
            arguments.into_iter().filter_map(|argument| argument.into_string().ok()).collect();
        return clients::be(&arguments);
    }
    support::isolate();
    let mut suite = Suite::new();
    suite.case("64_processes_with_100_writes_each", || inside("writers", "6400 writes, 0 wrong\n"));
    suite.case("300_rounds_with_readers_inside", || inside("rounds", "300 rounds, 0 stale\n"));
    suite.case("who_comes_second_sees_what_the_first_made", || inside("second", "all told, 0 stale\n"));
    suite.case("a_listing_goes_on_while_its_directory_changes", || inside("listing", "listed, 0 wrong\n"));
    suite.case("clients_that_die_in_a_call", || inside("dying", "20 died, then ok\n"));
    suite.case("panics_cost_one_error_each", || inside("panics", "100 EIO, then ok\n"));
    suite.case("memory_stays", memory_stays);
    suite.case("servers_that_die_in_a_call", servers_that_die);
    suite.end();
}

fn inside(name: &str, expected: &str) -> Result<(), Skip> {
    need_mounts()?;
    let line = client(name, &[]);
    let mut arguments = vec!["run", "--"];
    arguments.extend(line.iter().map(String::as_str));
    let output = finish(own(&arguments));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!((&*text, output.status.code()), (expected, Some(0)), "{}", outcome(&output).0);
    Ok(())
}

/// The server's memory after 2,000 and after 8,000 devices that came, were opened, changed and went.
fn memory_stays() -> Result<(), Skip> {
    need_mounts()?;
    let line = client("memory", &[]);
    let mut arguments = vec!["run", "--"];
    arguments.extend(line.iter().map(String::as_str));
    let mut child = own(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a child");
    let status = format!("/proc/{}/status", child.id());
    let resident = || -> u64 {
        let text = std::fs::read_to_string(&status).expect("its status");
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    let mut sizes = Vec::new();
    let mut said = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut go_on = child.stdin.take().expect("its input");
    while let Some(Ok(_)) = said.next() {
        sizes.push(resident());
        go_on.write_all(b"\n").expect("a word");
    }
    finish_child(child);
    println!("  kB after every 2000 devices: {sizes:?}");
    assert!(sizes.len() == 4 && sizes[3] < sizes[0] + 1024);
    Ok(())
}

/// SIGKILL at different moments while names come and go and directories are read: the case in which a server
/// without a guard is never got rid of.
fn servers_that_die() -> Result<(), Skip> {
    need_mounts()?;
    for round in 0..40_u64 {
        let mark = format!("dies-{}-{round}", std::process::id());
        let line = client("churn", &[]);
        let mut arguments = vec!["run", "--devices", "30", "--"];
        arguments.extend(line.iter().map(String::as_str));
        let mut command = own(&arguments);
        command.env("AP_FUSE_TEST", &mark).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("a child");
        let mut ready = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut ready).expect("a line");
        assert_eq!(ready, "churning\n");
        std::thread::sleep(Duration::from_micros(20_000 + round * 317));
        kill_process(pid(&child), Signal::KILL).expect("kill");
        finish_child(child);
        until("no process is left", || marked(&format!("AP_FUSE_TEST={mark}")).is_empty());
    }
    Ok(())
}
