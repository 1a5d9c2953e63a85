//! Every way to end: nothing is left.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::process::{Signal, kill_process};

use crate::support::{
    Skip, Suite, as_user, finish_child, marked, mounts, need_mounts, outcome, own, pid, until,
};

pub fn cases(suite: &mut Suite) {
    suite.case("nothing_is_left_after_an_end", || ended(false, Ended::Itself));
    suite.case("nothing_is_left_after_sigkill_of_the_server", || ended(false, Ended::Killed(Who::Server)));
    suite.case("nothing_is_left_after_sigkill_of_the_command", || ended(false, Ended::Killed(Who::Command)));
    suite.case("nothing_is_left_after_sigkill_of_the_guard", || ended(false, Ended::Killed(Who::Guard)));
    suite
        .case("nothing_is_left_after_sigkill_of_server_and_guard", || ended(false, Ended::Killed(Who::Both)));
    suite.case("nothing_is_left_of_a_user_after_an_end", || ended(true, Ended::Itself));
    suite.case("nothing_is_left_of_a_user_after_sigkill_of_the_server", || {
        ended(true, Ended::Killed(Who::Server))
    });
    suite.case("signals_are_passed_on", signals_are_passed_on);
}

enum Ended {
    Itself,
    Killed(Who),
}

#[derive(Clone, Copy)]
enum Who {
    Server,
    Command,
    Guard,
    Both,
}

/// A command with all that could be left of it: processes in the background, some in a session of their own, some
/// that wait for an answer from the tree, and one that never stops asking.
const BUSY: &str = "setsid sh -c 'sleep 1000; true' & sleep 1000 & (cd /sys/bus/test; sleep 1000) &
    echo 1 > /sys/bus/test/wait & cat /sys/bus/test/show_wait &
    while :; do echo a$$ > /sys/bus/test/create; ls -lR /sys > /dev/null
    echo 1 > /sys/devices/test/a$$/remove; done & sleep 0.3; echo started;";

fn ended(user: bool, how: Ended) -> Result<(), Skip> {
    need_mounts()?;
    let mark = format!("AP_FUSE_TEST=ends-{}-{:?}", std::process::id(), std::time::Instant::now());
    let rest = match how {
        Ended::Itself => "exit 4",
        Ended::Killed(_) => "while :; do sleep 1000; done",
    };
    let text = format!("{BUSY} {rest}");
    let arguments = ["run", "--", "sh", "-c", &text];
    let mut child = start(if user { as_user(&arguments) } else { own(&arguments) }, &mark);
    let status = match how {
        Ended::Itself => 4,
        Ended::Killed(who) => {
            // `exec` all the way: the child is the server, also as a user.
            let server = pid(&child);
            let children = children(server.as_raw_nonzero().get());
            let find = |guard: bool| children.iter().find(|(_, name)| (name == "ap-guard") == guard);
            let kill = |process: i32| {
                let process = rustix::process::Pid::from_raw(process).expect("a process");
                kill_process(process, Signal::KILL).expect("kill");
            };
            let guard = find(true).expect("the guard").0;
            let command = find(false).expect("the command").0;
            match who {
                Who::Server => kill_process(server, Signal::KILL).expect("kill"),
                Who::Command => kill(command),
                Who::Guard => kill(guard),
                Who::Both => {
                    kill_process(server, Signal::KILL).expect("kill");
                    kill(guard);
                }
            }
            if matches!(who, Who::Server | Who::Both) { 256 + 9 } else { 137 }
        }
    };
    let _ = child.stdin.take();
    let (text, is) = outcome(&finish_child(child));
    assert_eq!(is, status, "{text}");
    until("no process is left", || marked(&mark).is_empty());
    assert!(mounts().is_empty(), "{:?}", mounts());
    Ok(())
}

/// Starts a command and waits until it says that it has started.
fn start(mut command: Command, mark: &str) -> Child {
    let (key, value) = mark.split_once('=').expect("a variable");
    command.env(key, value).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child =
        std::os::unix::process::CommandExt::process_group(&mut command, 0).spawn().expect("a child");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("its output");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    assert_eq!(line, "started\n");
    child
}

fn children(process: i32) -> Vec<(i32, String)> {
    let text = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).expect("children");
    text.split_whitespace()
        .map(|child| {
            let name = std::fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
            (child.parse().expect("a number"), name.trim().to_owned())
        })
        .collect()
}

fn signals_are_passed_on() -> Result<(), Skip> {
    need_mounts()?;
    for (signal, name) in
        [(Signal::TERM, "TERM"), (Signal::USR1, "USR1"), (Signal::INT, "INT"), (Signal::HUP, "HUP")]
    {
        let text = format!("trap 'exit 9' {name}; echo started; while :; do sleep 0.01; done");
        let child = start(own(&["run", "--", "sh", "-c", &text]), "AP_FUSE_TEST=signals");
        kill_process(pid(&child), signal).expect("kill");
        assert_eq!(outcome(&finish_child(child)).1, 9, "{name}");
    }
    Ok(())
}
