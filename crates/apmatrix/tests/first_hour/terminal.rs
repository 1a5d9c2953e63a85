//! H10: the shell on a terminal, through a pseudo-terminal.

use crate::pseudo::Terminal;

const PROMPT: &str = "tiny:/sys# ";

fn shell() -> Terminal {
    let mut terminal = Terminal::start(80, &["shell", "--machine", "tiny"]);
    terminal.until(PROMPT);
    terminal
}

#[test]
fn h10_history_brings_lines_back_and_tab_completes() {
    let mut terminal = shell();
    terminal.press("echo -n fi; echo rst\r");
    terminal.until("first");
    terminal.until(PROMPT);
    terminal.press("\u{1b}[A");
    terminal.until("echo -n fi; echo rst");
    terminal.press("\r");
    terminal.until("first");
    terminal.until(PROMPT);
    terminal.press("ls -d /sys/bus/ap/dev\t");
    terminal.until("/sys/bus/ap/devices/");
    terminal.press("\u{15}hw unp\t");
    terminal.until("hw unplug ");
    terminal.press("\u{15}exit 3\r");
    assert_eq!(terminal.end().0, Some(3));
}

#[test]
fn h10_control_c_drops_the_line_and_the_machine_stays() {
    let mut terminal = shell();
    terminal.press("echo 0x0 > /sys/bus/ap/apmask\r");
    terminal.until("apmask");
    terminal.until(PROMPT);
    terminal.press("echo this is not wan\u{3}");
    terminal.until(PROMPT);
    terminal.press("cat /sys/bus/ap/apmask\r");
    terminal.until("\n0x0000");
    terminal.until(PROMPT);
    // A line that is not complete, too.
    terminal.press("for x in 1 2; do\r");
    terminal.press("\u{3}");
    terminal.until(PROMPT);
    let (status, _) = terminal.leave();
    assert_eq!(status, Some(130), "^D ends with the last status");
}

#[test]
fn h10_control_c_ends_a_write_that_waits_and_a_command_that_runs() {
    let mut terminal = shell();
    let uuid = "62177883-f1bb-47f0-914d-32a22e3a8804";
    terminal.press(&format!(
        "M=/sys/devices/vfio_ap/matrix; echo {uuid} > $M/mdev_supported_types/vfio_ap-passthrough/create; guest start g \
         {uuid}; echo do''ne\r"
    ));
    terminal.until("\ndone");
    terminal.until(PROMPT);
    // The write waits for the guest, and says so; no prompt comes before ^C, and nothing after it on the line runs.
    terminal.press(&format!("echo 1 > $M/{uuid}/remove; echo af''ter\r"));
    // Where its line breaks is the terminal's.
    terminal.until("guest g lets mdev");
    terminal.until("(^C: it goes on in the background)");
    terminal.press("echo ty''ped meanwhile\u{3}");
    let shown = terminal.until("it goes on as job 1");
    assert!(!shown.contains(PROMPT) && !shown.contains("after"), "{shown:?}");
    let shown = terminal.until(PROMPT);
    assert!(!shown.contains("after"), "{shown:?}");
    terminal.press("echo $?; jobs\r");
    terminal.until("\n130");
    terminal.until("[1] Running");
    terminal.until(PROMPT);
    // `wait` waits again, and so ^C ends that.
    terminal.press("wait 1\r");
    terminal.until("wait: job 1 waits");
    terminal.press("\u{3}");
    terminal.until("job 1 goes on");
    terminal.until(PROMPT);
    // The history is still there, and the removal ends when the guest lets go.
    terminal.press("\u{1b}[A\u{1b}[A");
    terminal.until("echo $?; jobs");
    terminal.press("\u{15}guest stop g; wait 1; echo en''ded $?\r");
    terminal.until("\nended 0");
    terminal.until(PROMPT);
    let uuid = "62177883-f1bb-47f0-914d-32a22e3a8805";
    terminal.press(&format!(
        "echo {uuid} > $M/mdev_supported_types/vfio_ap-passthrough/create; guest start g {uuid}; echo a''gain\r"
    ));
    terminal.until("\nagain");
    terminal.until(PROMPT);
    // A command that would run for a long time.
    let words = "1 2 3 4 5 6 7 8 9 0";
    terminal.press(&format!(
        "W='{words}'; echo be''gins; for a in $W $W; do for b in $W $W; do for c in $W $W; do for d in $W $W; do for e in \
         $W $W; do for f in $W; do tree /sys/bus > /dev/null; done; done; done; done; done; done\r"
    ));
    terminal.until("\nbegins");
    terminal.press("\u{3}");
    terminal.until(PROMPT);
    terminal.press("echo $?; guest list\r");
    terminal.until("\n130");
    terminal.until(uuid);
    terminal.leave();
}

#[test]
fn h10_several_lines_are_pasted_as_one() {
    let mut terminal = shell();
    terminal.press("\u{1b}[200~echo o''ne\necho t''wo\n\u{1b}[201~\r");
    let shown = terminal.until("\ntwo");
    assert!(shown.contains("\none"), "{shown:?}");
    // A tab in what is pasted completes nothing.
    terminal.until(PROMPT);
    terminal.press("\u{1b}[200~echo a\tb\u{1b}[201~\r");
    terminal.until("\na b");
    terminal.leave();
}

#[test]
fn h10_the_commands_that_errors_name_are_there() {
    let mut terminal = shell();
    terminal.press("apmatrix ls 04.0006\r");
    terminal.until("04.0006   CEX8P");
    terminal.press("hw --help\r");
    terminal.until("unplug");
    terminal.press("help why\r");
    terminal.until("why [PATH TEXT]");
    terminal.press("echo zz > /sys/bus/ap/apmask\r");
    terminal.until("sh:1: /sys/bus/ap/apmask: Invalid argument (EINVAL)");
    terminal.press("why\r");
    terminal.until("refused (EINVAL, Invalid argument)");
    terminal.leave();
}

/// Lines that come before the prompt, in one write, end with the shell: what it printed.
fn typed_ahead(end: &str) -> String {
    let mut terminal = Terminal::start(80, &["shell", "--machine", "tiny"]);
    let lines: String = (0..40).map(|number| format!("echo li''ne {number}.{end}")).collect();
    terminal.press(&format!("{lines}exit 5{end}"));
    let (status, shown) = terminal.end();
    assert_eq!(status, Some(5), "{shown}");
    shown
}

#[test]
fn every_line_that_is_typed_ahead_is_run_once_and_in_order() {
    for end in ["\n", "\r"] {
        let shown = typed_ahead(end);
        let printed: Vec<&str> =
            shown.lines().map(str::trim_end).filter(|line| line.starts_with("line ")).collect();
        let wanted: Vec<String> = (0..40).map(|number| format!("line {number}.")).collect();
        assert_eq!(printed, wanted, "{end:?}: {shown}");
    }
}

#[test]
fn lines_that_come_together_at_a_prompt_are_all_run() {
    for end in ["\n", "\r"] {
        let mut terminal = shell();
        terminal.press(&format!(
            "echo o''ne{end}sleep 1{end}for x in a b; do{end}echo t''wo $x{end}done{end}echo th''ree{end}"
        ));
        for printed in ["\none", "\ntwo a", "\ntwo b", "\nthree"] {
            terminal.until(printed);
        }
        let (_, rest) = terminal.leave();
        assert!(!rest.contains("\none") && !rest.contains("\ntwo"), "{rest}");
    }
}

#[test]
fn a_byte_that_is_not_utf_8_ends_neither_the_shell_nor_runs_a_part_of_a_line() {
    let mut terminal = shell();
    terminal.press("echo 0x0 > /sys/bus/ap/apmask\r");
    terminal.until("apmask");
    terminal.until(PROMPT);
    for garbled in [
        &b"echo \xe9t\xe9; echo pr''essed\r"[..],
        b"echo b''efore\x80\necho a''fter\n",
        b"\x1b[200~caf\xe9; echo in''-paste\x1b[201~\r",
    ] {
        terminal.press_bytes(garbled);
        let mut shown = terminal.until("not UTF-8");
        shown += &terminal.until(PROMPT);
        terminal.press("cat /sys/bus/ap/apmask\r");
        shown += &terminal.until("\n0x0000");
        terminal.until(PROMPT);
        for part in ["pressed", "before", "after", "in-paste"] {
            assert!(!shown.contains(part), "{part}: {shown:?}");
        }
    }
    terminal.press("exit 4\r");
    assert_eq!(terminal.end().0, Some(4));
}

#[test]
fn a_write_that_was_left_waiting_does_not_end_the_shell_by_a_signal() {
    let uuid = "62177883-f1bb-47f0-914d-32a22e3a8804";
    let start = format!(
        "M=/sys/devices/vfio_ap/matrix; echo {uuid} > $M/mdev_supported_types/vfio_ap-passthrough/create; guest start \
         g {uuid}; echo do''ne\r"
    );
    for (last, wanted) in [("exit 0\r", 0), ("exit 7\r", 7), ("\u{4}", 0)] {
        let program = env!("CARGO_BIN_EXE_apmatrix");
        let script = format!("{program} shell --machine tiny; echo AF''TER $?; exit 3");
        let mut terminal = Terminal::of(80, &[("TERM", "xterm")], "bash", &["-c", &script]);
        terminal.until(PROMPT);
        terminal.press(&start);
        terminal.until("\ndone");
        terminal.until(PROMPT);
        terminal.press(&format!("echo 1 > $M/{uuid}/remove\r"));
        terminal.until("(^C: it goes on in the background)");
        terminal.press("\u{3}");
        terminal.until(PROMPT);
        terminal.press("guest stop g; wait 1; echo en''ded\r");
        terminal.until("\nended");
        terminal.until(PROMPT);
        terminal.press(last);
        terminal.until(&format!("AFTER {wanted}"));
        assert_eq!(terminal.end().0, Some(3));
    }
}

#[test]
fn a_control_c_drops_what_was_typed_after_the_command_that_it_ends() {
    let uuid = "62177883-f1bb-47f0-914d-32a22e3a8804";
    let mut terminal = shell();
    terminal.press(&format!(
        "M=/sys/devices/vfio_ap/matrix; echo {uuid} > $M/mdev_supported_types/vfio_ap-passthrough/create; guest start \
         g {uuid}\recho 1 > $M/{uuid}/remove\recho af''ter\r"
    ));
    terminal.until("(^C: it goes on in the background)");
    terminal.press("\u{3}");
    let mut shown = terminal.until(PROMPT);
    terminal.press("\u{1b}[A");
    shown += &terminal.until("remove");
    terminal.press("\u{15}echo st''ill\r");
    shown += &terminal.until("\nstill");
    assert!(!shown.contains("after"), "{shown}");
    terminal.leave();
}
