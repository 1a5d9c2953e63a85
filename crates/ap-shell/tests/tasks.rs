//! Scripts as tasks of a scenario.

mod common;

use ap_shell::{TaskResult, parse, run_task};

#[track_caller]
fn check(text: &str, expected: &str) {
    let script = parse(text, "task").expect(text);
    let result = run_task(&script, &mut common::world());
    let got = match &result {
        TaskResult::Ok => "ok".to_owned(),
        TaskResult::Failed(f) => {
            format!("{} {} {}:{} `{}` {}", result.name(), f.status, f.line, f.column, f.command, f.message)
        }
    };
    assert_eq!(got.trim_end(), expected, "\n--- {text}");
}

#[test]
fn a_task_is_ok_when_all_of_it_ran() {
    check("", "ok");
    check("echo 1 > /sys/bus/ap/apmask\ncat /sys/bus/ap/apmask", "ok");
    check("for A in 1 2; do echo $A > /sys/bus/ap/apmask; done", "ok");
    check("exit 0", "ok");
}

#[test]
fn a_task_stops_at_the_first_failure() {
    check(
        "echo 1 > /sys/bus/ap/apmask\n  echo 2 > /sys/bus/ap/busy\necho 3 > /sys/none/x",
        "EBUSY 1 2:3 `echo 2 > /sys/bus/ap/busy` task:2: /sys/bus/ap/busy: Device or resource busy (EBUSY)",
    );
    check("cat /sys/none && true", "ENOENT 1 1:1 `cat /sys/none` cat: /sys/none: No such file or directory");
    check("true && hw fail && true", "EINVAL 1 1:9 `hw fail` hw: fail: as it was told");
    check(
        "for A in 1 2; do\n echo 1 > /sys/bus/ap/busy\ndone",
        "EBUSY 1 2:2 `echo 1 > /sys/bus/ap/busy` task:2: /sys/bus/ap/busy: Device or resource busy (EBUSY)",
    );
    check("if true; then { false; true; }; fi", "failed 1 1:17 `false`");
    check("[ a = b ]", "failed 1 1:1 `[ a = b ]`");
    check("catt", "failed 127 1:1 `catt` task:1:1: catt: command not found (did you mean `cat`?)");
    check("! true", "failed 1 1:1 `! true`");
    check("exit 3", "failed 3 1:1 `exit 3`");
    check(
        "X=$(cat /sys/none); true",
        "ENOENT 1 1:1 `X=$(cat /sys/none)` cat: /sys/none: No such file or directory",
    );
}

#[test]
fn what_is_asked_about_is_no_failure() {
    check("echo 2 > /sys/bus/ap/busy || true", "ok");
    check("echo 2 > /sys/bus/ap/busy && true || true", "ok");
    check("{ false; true; } || true", "ok");
    check("if cat /sys/none; then true; fi", "ok");
    check("! cat /sys/none", "ok");
    check(
        "false || cat /sys/none",
        "ENOENT 1 1:10 `cat /sys/none` cat: /sys/none: No such file or directory",
    );
    check("false || exit", "failed 1 1:1 `false`");
}

#[test]
fn jobs_count_when_they_fail() {
    check("echo 1 > /sys/m/remove & hw answer /sys/m/remove 2", "ok");
    check(
        "echo 1 > /sys/m/remove & hw answer /sys/m/remove ENODEV",
        "ENODEV 1 1:1 `echo 1 > /sys/m/remove` task:1: /sys/m/remove: No such device (ENODEV)",
    );
    check(
        "echo 1 > /sys/m/remove & hw answer /sys/m/remove ENODEV; wait; true",
        "ENODEV 1 1:1 `echo 1 > /sys/m/remove` task:1: /sys/m/remove: No such device (ENODEV)",
    );
    check("echo 1 > /sys/m/remove & hw answer /sys/m/remove ENODEV; wait 1 || true", "ok");
    check(
        "hw answer /sys/m/remove ENODEV in 5; echo 1 > /sys/m/remove",
        "ENODEV 1 1:38 `echo 1 > /sys/m/remove` task:1: /sys/m/remove: No such device (ENODEV)",
    );
    check("true; echo 1 > /sys/m/remove &", "EINTR 130 1:7 `echo 1 > /sys/m/remove` it never returned");
    check("cat /sys/none & true", "ENOENT 1 1:1 `cat /sys/none` cat: /sys/none: No such file or directory");
    check("cat /sys/none || true & true", "ok");
    check("true; false & wait 1", "failed 1 1:7 `false`");
    check("false & cat /sys/none & wait", "failed 1 1:1 `false`");
    check("false & true & wait 1 2", "ok");
    check("true & false & wait 1 2", "failed 1 1:8 `false`");
}
