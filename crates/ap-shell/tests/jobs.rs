//! Writes that do not return: background, wait, jobs.

mod common;

use std::cell::Cell;

use ap_shell::Foreground;
use common::{check, run, shell};

#[test]
fn a_write_waits_in_the_background() {
    check(
        "echo 1 > /sys/m/remove &\njobs; echo $!; hw answer /sys/m/remove 2; wait 1; echo $?; jobs",
        "[1] Running    echo 1 > /sys/m/remove\n1\n0\n",
    );
    check(
        "echo 1 > /sys/m/remove & hw answer /sys/m/remove EBUSY; wait %1",
        "! test:1: /sys/m/remove: Device or resource busy (EBUSY)\n= 1 EBUSY\n",
    );
    check("true & jobs; jobs", "[1] Done       true\n");
    check(
        "cat /none & jobs",
        "! cat: /none: No such file or directory (there is nothing but /sys here)\n[1] Exit 1 (ENOENT) cat /none\n",
    );
    check("false & jobs; wait 1", "[1] Exit 1     false\n= 1\n");
}

#[test]
fn a_list_in_the_background_goes_on_when_its_write_returns() {
    check(
        "A=1; echo 1 > /sys/m/remove && echo then $A && A=3 && echo $A || echo else & A=2
         hw answer /sys/m/remove 2; echo now; wait; echo $A",
        "then 1\n3\nnow\n2\n",
    );
    check(
        "echo 1 > /sys/m/remove || echo else & hw answer /sys/m/remove EPERM; wait",
        "! test:1: /sys/m/remove: Operation not permitted (EPERM)\nelse\n",
    );
    check(
        "! echo 1 > /sys/m/remove & hw answer /sys/m/remove EPERM; wait 1",
        "! test:1: /sys/m/remove: Operation not permitted (EPERM)\n",
    );
    check(
        "echo 1 > /sys/m/remove && echo 1 > /sys/n/remove & hw answer /sys/m/remove 2; jobs; hw answer /sys/n/remove 2; wait 1",
        "[1] Running    echo 1 > /sys/m/remove && echo 1 > /sys/n/remove\n",
    );
    check("exit 3 & wait 1", "= 3\n");
    check("hw x && false & wait $!", "hw x\n= 1\n");
}

#[test]
fn wait_lets_machine_time_pass() {
    let mut shell = shell();
    let text = "hw answer /sys/m/remove 2 in 3000\necho 1 > /sys/m/remove &\nwait; jobs";
    assert_eq!(run(&mut shell, text), "");
    assert_eq!(shell.world().tree().now, 3000);
}

#[test]
fn a_foreground_write_waits_too() {
    check(
        "hw answer /sys/m/remove EIO in 50; echo 1 > /sys/m/remove",
        "! test:1: /sys/m/remove: Input/output error (EIO)\n= 1 EIO\n",
    );
    check(
        "hw answer /sys/m/remove 7 in 50; false > /sys/m/remove || cat /none /sys/bus/ap/apmask > /sys/m/remove",
        "! cat: /none: No such file or directory (there is nothing but /sys here)\n= 1 ENOENT\n",
    );
}

#[test]
fn what_never_returns_becomes_a_job() {
    let mut shell = shell();
    assert_eq!(
        run(&mut shell, "echo 1 > /sys/m/remove"),
        "! sh: `echo 1 > /sys/m/remove` does not return: it goes on as job 1 (let happen what it waits for, then `wait 1`)\n= 130 EINTR\n"
    );
    assert_eq!(shell.running_jobs(), [1]);
    assert_eq!(
        run(&mut shell, "wait 1"),
        "! wait: job 1 does not return, and nothing is due that would end it\n= 130 EINTR\n"
    );
    assert_eq!(
        run(&mut shell, "wait"),
        "! wait: job 1 does not return, and nothing is due that would end it\n= 130 EINTR\n"
    );
    assert_eq!(
        run(&mut shell, "hw answer /sys/m/remove ENODEV; wait 1"),
        "! test:1: /sys/m/remove: No such device (ENODEV)\n= 1 ENODEV\n"
    );
    // Patience is bounded also when there is always something due.
    assert_eq!(
        run(&mut shell, "hw answer /sys/m/remove 2 in 100000; echo 1 > /sys/m/remove || jobs"),
        "! sh: `echo 1 > /sys/m/remove` does not return: it goes on as job 2 (let happen what it waits for, then `wait 2`)\n[2] Running    echo 1 > /sys/m/remove\n"
    );
    assert_eq!(run(&mut shell, "sleep 100; wait 2"), "");
}

#[test]
fn wait_needs_a_known_job() {
    check("wait 7", "! wait: there is no job 7\n= 127\n");
    check("wait x", "! wait: x is no job's number (usage: wait [N…])\n= 2\n");
    check("wait; echo $?; false & wait; echo $?", "0\n0\n");
}

#[test]
fn a_prompt_tells_of_jobs() {
    let mut shell = shell();
    shell.set_interactive(true);
    assert_eq!(run(&mut shell, "echo 1 > /sys/m/remove &"), "! [1] echo 1 > /sys/m/remove\n");
    let mut told = String::new();
    shell.notify(&mut |_, text| told.push_str(text));
    assert_eq!(told, "");
    assert_eq!(run(&mut shell, "hw answer /sys/m/remove EBUSY"), "");
    shell.notify(&mut |_, text| told.push_str(text));
    assert_eq!(
        told,
        "test:1: /sys/m/remove: Device or resource busy (EBUSY); `why` says the reason\n[1] Exit 1 (EBUSY) echo 1 > /sys/m/remove\n"
    );
    told.clear();
    shell.notify(&mut |_, text| told.push_str(text));
    assert_eq!(told, "");
}

#[test]
fn jobs_know_no_jobs() {
    check("wait & wait 1; false || wait & wait 2", "");
    check("wait 1 & true", "! wait: there is no job 1\n");
    // Jobs that would wait for one another in a long chain.
    let chain: String = (1..1000).map(|n| format!("echo 1 > /sys/m/remove && wait {} & ", n + 1)).collect();
    let printed = run(&mut shell(), &format!("{chain} hw answer /sys/m/remove 2; wait 1"));
    assert_eq!(printed, "! wait: there is no job 2\n= 127\n");
    check(
        "X=$(echo 1 > /sys/m/remove & echo $!) && echo $X & jobs; hw answer /sys/m/remove 2; wait",
        "2\n[1] Done       X=$(echo 1 > /sys/m/remove & echo $!) && echo $X\n[2] Running    echo 1 > /sys/m/remove\n",
    );
}

/// Somebody who waits for so many moments, then presses ^C, and then waits so many again.
#[derive(Debug)]
struct Patient {
    moments: u64,
    waited: Cell<u64>,
}

impl Foreground for Patient {
    fn interrupted(&self) -> bool {
        let enough = self.waited.get() == self.moments;
        if enough {
            self.waited.set(0);
        }
        enough
    }

    fn pause(&self) -> u64 {
        self.waited.set(self.waited.get() + 1);
        20
    }
}

#[test]
fn before_somebody_a_write_waits_in_the_foreground_until_he_has_enough() {
    let mut shell = shell();
    shell.set_foreground(Box::new(Patient { moments: 5000, waited: Cell::new(0) }));
    // Nothing after it in the line runs.
    assert_eq!(
        run(&mut shell, "echo 1 > /sys/m/remove; echo after"),
        "! sh: `echo 1 > /sys/m/remove` waits (^C: it goes on in the background)\n\
         ! sh: it goes on as job 1: `jobs` shows it, `wait 1` waits again\n= 130 EINTR\n"
    );
    assert_eq!(shell.running_jobs(), [1]);
    assert_eq!(
        run(&mut shell, "wait 1; echo after"),
        "! wait: job 1 waits (^C: it goes on in the background)\n! wait: job 1 goes on\n= 130 EINTR\n"
    );
    assert_eq!(run(&mut shell, "hw answer /sys/m/remove 2; wait 1; echo after"), "after\n");
    // What is answered while he waits is its answer: time passes as his does.
    assert_eq!(
        run(&mut shell, "hw answer /sys/m/remove EBUSY in 60060; echo 1 > /sys/m/remove"),
        "! sh: `echo 1 > /sys/m/remove` waits (^C: it goes on in the background)\n\
         ! test:1: /sys/m/remove: Device or resource busy (EBUSY)\n= 1 EBUSY\n"
    );
    // A job waits in the background before him, too.
    assert_eq!(run(&mut shell, "echo 1 > /sys/m/remove & echo at once"), "at once\n");
}
