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
