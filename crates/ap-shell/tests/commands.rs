//! Every command, and what it complains about.

mod common;

use ap_shell::commands;
use common::{check, run, shell};

#[test]
fn echo_and_printf() {
    check("echo; echo -n a; echo -n; echo b -n; echo -e 'x\\n'", "\nab -n\n-e x\\n\n");
    check("printf 'a\\tb\\\\n\\n'", "a\tb\\n\n");
    check("printf '%s-%s\\n' a b c", "a-b\nc-\n");
    check("printf '%d %i %u %x %X %o %c|%%\\n' 12 -3 010 255 0xab 8 xyz", "12 -3 8 ff AB 10 x|%\n");
    check(
        "printf '[%5s][%-5s][%05d][%.2s][%+d][%#x][% d][%.3d]\\n' ab ab 42 abcd 1 255 7 5",
        "[   ab][ab   ][00042][ab][+1][0xff][ 7][005]\n",
    );
    check("printf '%x\\n' -1", "ffffffffffffffff\n");
    check("printf \"%d\\n\" \"'a\"", "97\n");
    check("printf '%b|' 'a\\nb' 'c\\0101' 'd\\ce' no", "a\nb|cA|d");
    check("printf 'x\\cy'; printf '\\x41\\101\\q\\x\\n'", "xAA\\q\\x\n");
    check("printf '%d\\n' abc", "0\n! printf: abc: not a number\n= 1\n");
    check("printf '%d\\n' ''", "0\n");
    check("printf '%q' a", "! printf: there is no conversion %q\n= 1\n");
    check("printf '100%'", "100! printf: the format ends in %\n= 1\n");
    check("printf '%99999999s' a", "! printf: a width or precision over 65536\n= 1\n");
    check("printf", "! printf: a format is missing (usage: printf FORMAT [WORD…])\n= 2\n");
    check("printf nothing a b c", "nothing");
}

#[test]
fn writing() {
    let mut shell = shell();
    assert_eq!(run(&mut shell, "echo +4 > /sys/bus/ap/apmask; cat /sys/bus/ap/apmask"), "+4\n");
    assert_eq!(run(&mut shell, "cd /sys/bus/ap; echo -n 0x0 >> apmask; printf '%s\\n' a b > apmask"), "");
    assert_eq!(
        run(&mut shell, "> apmask; echo -n > apmask; : > apmask; cat rescan > /dev/null"),
        "! cat: rescan: Permission denied (it is only written)\n= 1 EACCES\n"
    );
    let written: Vec<String> = (shell.world().tree().stores.iter())
        .map(|(path, data)| format!("{path} {:?}", String::from_utf8_lossy(data)))
        .collect();
    assert_eq!(
        written,
        ["/sys/bus/ap/apmask \"+4\\n\"", "/sys/bus/ap/apmask \"0x0\"", "/sys/bus/ap/apmask \"a\\nb\\n\""]
    );
}

#[test]
fn why_is_of_the_text_that_echo_would_write_or_of_the_last_write() {
    check("cd /sys/bus/ap; why apmask +4 -5", "why /sys/bus/ap/apmask \"+4 -5\\n\"\n");
    check("why", "why the last\n");
    check(
        "why /sys/bus/ap/apmask",
        "! why: a path and a text are needed, or nothing (usage: why [PATH TEXT])\n= 2\n",
    );
}

#[test]
fn writes_that_fail() {
    check(
        "echo 1 > /sys/bus/ap/busy",
        "! test:1: /sys/bus/ap/busy: Device or resource busy (EBUSY)\n= 1 EBUSY\n",
    );
    check(
        "printf 1 > /sys/bus/ap/busy",
        "! test:1: /sys/bus/ap/busy: Device or resource busy (EBUSY)\n= 1 EBUSY\n",
    );
    check(
        "echo 1 > /sys/bus/ap/ap_domain",
        "! test:1: /sys/bus/ap/ap_domain: cannot be written: Permission denied (EACCES); it is only read\n= 1 EACCES\n",
    );
    check(
        "echo 1 > /sys/bus/ap/none",
        "! test:1: /sys/bus/ap/none: cannot be written: Permission denied (EACCES); there is no `none` there: `ls /sys/bus/ap` lists what there is\n= 1 EACCES\n",
    );
    check(
        "echo 1 > /sys/none/none",
        "! test:1: /sys/none/none: cannot be written: No such file or directory (ENOENT); there is no `none` there: `ls /sys` lists what there is\n= 1 ENOENT\n",
    );
    check(
        "echo 1 > /sys/bus",
        "! test:1: /sys/bus: cannot be written: Is a directory (EISDIR); it is a directory: `ls /sys/bus` lists what is in it\n= 1 EISDIR\n",
    );
    check(
        "echo 1 > /sys/bus/ap/apmask/x",
        "! test:1: /sys/bus/ap/apmask/x: cannot be written: Not a directory (ENOTDIR)\n= 1 ENOTDIR\n",
    );
    check(
        "echo 1 > /tmp/x",
        "! test:1: /tmp/x: cannot be written: No such file or directory (ENOENT); there is nothing but /sys here\n= 1 ENOENT\n",
    );
    check("echo 1 > ''", "! test:1: : cannot be written: No such file or directory (ENOENT)\n= 1 ENOENT\n");
    check("echo 1 > $NONE", "! sh: ambiguous redirect: the path expands to nothing\n= 1\n");
    check(
        "echo 1 > /sys/devices/ap/*/online",
        "! sh: ambiguous redirect: the path expands to 2 words\n= 1\n",
    );
    check(
        "echo 1 > /sys/bus/*/busy",
        "! test:1: /sys/bus/ap/busy: Device or resource busy (EBUSY)\n= 1 EBUSY\n",
    );
    check(
        &format!("echo 1 > /sys/{}", "x/".repeat(2100)),
        &format!(
            "! test:1: /sys/{}: cannot be written: File name too long (ENAMETOOLONG)\n= 1 ENAMETOOLONG\n",
            "x/".repeat(2100)
        ),
    );
}

#[test]
fn redirections() {
    check("cat /none 2> /dev/null", "= 1 ENOENT\n");
    check(
        "X=$(cat /none 2>&1); echo \"[$X]\"",
        "[cat: /none: No such file or directory (there is nothing but /sys here)]\n",
    );
    check("echo oops >&2; echo fine 1>&1 >/dev/null", "! oops\n");
    check("cat /none > /dev/null 2>&1; echo $?", "1\n");
    check(
        "cat /none 2> /sys/bus/ap/apmask; cat /sys/bus/ap/apmask",
        "cat: /none: No such file or directory (there is nothing but /sys here)\n",
    );
    check("echo a > /sys/bus/ap/rescan > /sys/bus/ap/apmask; cat /sys/bus/ap/apmask", "a\n");
    // A command with effects does not run when its output has nowhere to go.
    check(
        "hw plug 4 > /sys/bus/ap/ap_domain",
        "! test:1: /sys/bus/ap/ap_domain: cannot be written: Permission denied (EACCES); it is only read\n= 1 EACCES\n",
    );
    let mut shell = shell();
    run(&mut shell, "hw plug 4 > /sys/bus/ap/ap_domain");
    assert!(shell.world().operator().said.is_empty());
    assert_eq!(run(&mut shell, "hw plug 4 > /sys/bus/ap/apmask; cat /sys/bus/ap/apmask"), "hw plug 4\n");
}

#[test]
fn cat_and_readlink() {
    check("cat /sys/bus/ap/apmask /sys/bus/ap/ap_domain", "0xffff\n4\n");
    check(
        "cat /sys/none /sys/bus/ap/rescan /sys/bus /sys/bus/ap/apmask",
        "! cat: /sys/none: No such file or directory (there is no `none` there: `ls /sys` lists what there is)\n! cat: /sys/bus/ap/rescan: Permission denied (it is only written)\n! cat: /sys/bus: Is a directory (it is a directory: `ls /sys/bus` lists what is in it)\n0xffff\n= 1 EISDIR\n",
    );
    check("cat", "! cat: a path is missing, there is no standard input (usage: cat PATH…)\n= 2\n");
    check("cat -n x", "! cat: there is no option -n (usage: cat PATH…)\n= 2\n");
    check("cat ''", "! cat: : No such file or directory\n= 1 ENOENT\n");
    check("readlink /sys/bus/ap/devices/card04 /sys/broken", "../../../devices/ap/card04\nnowhere\n");
    check("readlink /sys/bus", "! readlink: /sys/bus: Invalid argument\n= 1 EINVAL\n");
    check("readlink", "! readlink: a path is missing (usage: readlink PATH…)\n= 2\n");
}

#[test]
fn stat() {
    check(
        "stat /sys/bus/ap/apmask",
        "  File: /sys/bus/ap/apmask\n  Type: regular file\n  Size: 4096\nAccess: (0644/-rw-r--r--)\n",
    );
    check("stat -c '%n %F %s %a %A %% %z' /sys/bus", "/sys/bus directory 0 755 drwxr-xr-x % ?\n");
    check(
        "stat -c %N /sys/broken; stat -L -c %F /sys/bus/ap/devices/card04",
        "/sys/broken -> nowhere\ndirectory\n",
    );
    check("stat -L /sys/broken", "! stat: /sys/broken: No such file or directory\n= 1 ENOENT\n");
    check("stat", "! stat: a path is missing (usage: stat [-L] [-c FORMAT] PATH…)\n= 2\n");
    check(
        "stat -q x",
        "! stat: option -q is unknown or incomplete (usage: stat [-L] [-c FORMAT] PATH…)\n= 2\n",
    );
}

#[test]
fn ls() {
    check("ls /sys", "broken\nbus\ndevices\nm\nn\n");
    check("cd /sys/bus/ap; ls; ls -1 devices/card04", "ap_domain\napmask\nbusy\ndevices\nrescan\nonline\n");
    check(
        "ls -l /sys/bus/ap",
        "-r--r--r-- root root 4096 ap_domain\n-rw-r--r-- root root 4096 apmask\n-rw-r--r-- root root 4096 busy\ndrwxr-xr-x root root    0 devices\n--w------- root root 4096 rescan\n",
    );
    check(
        "ls -l /sys/bus/ap/devices/card04",
        "lrwxrwxrwx root root 0 /sys/bus/ap/devices/card04 -> ../../../devices/ap/card04\n",
    );
    check(
        "ls -l /sys/bus/ap/devices",
        "lrwxrwxrwx root root 0 card04 -> ../../../devices/ap/card04\nlrwxrwxrwx root root 0 card0a -> ../../../devices/ap/card0a\n",
    );
    check("ls -d /sys/bus /sys/broken; ls /sys/broken", "/sys/bus\n/sys/broken\n/sys/broken\n");
    check(
        "ls /sys/devices /sys/bus/ap/apmask /sys/bus",
        "/sys/bus/ap/apmask\n\n/sys/devices:\nap\n\n/sys/bus:\nap\n",
    );
    check(
        "ls /sys/none",
        "! ls: cannot access '/sys/none': No such file or directory (there is no `none` there: `ls /sys` lists what there is)\n= 2 ENOENT\n",
    );
    check("ls -R", "! ls: there is no option -R (usage: ls [-adl1] [PATH…])\n= 2\n");
    check("ls /; ls -- /sys/bus", "sys\nap\n");
}

#[test]
fn tree() {
    check(
        "tree /sys/bus",
        "/sys/bus\n└── ap\n    ├── ap_domain\n    ├── apmask\n    ├── busy\n    ├── devices\n    │   ├── card04 -> ../../../devices/ap/card04\n    │   └── card0a -> ../../../devices/ap/card0a\n    └── rescan\n\n2 directories, 6 files\n",
    );
    check("tree -d -L 1 /sys/bus", "/sys/bus\n└── ap\n\n1 directory\n");
    check("cd /sys/m; tree", ".\n└── remove\n\n0 directories, 1 file\n");
    check(
        "tree /sys/none",
        "! tree: /sys/none: No such file or directory (there is no `none` there: `ls /sys` lists what there is)\n= 1 ENOENT\n",
    );
    check("tree -L 0", "! tree: -L needs a number from 1 (usage: tree [-d] [-L DEPTH] [PATH…])\n= 2\n");
    check(
        "tree -z",
        "! tree: option -z is unknown or incomplete (usage: tree [-d] [-L DEPTH] [PATH…])\n= 2\n",
    );
}

#[test]
fn directories() {
    check(
        "pwd; cd bus/ap; pwd; cd ..; pwd; cd; pwd; cd /; pwd; ls",
        "/sys\n/sys/bus/ap\n/sys/bus\n/sys\n/\nsys\n",
    );
    // `..` behind a link: `cd` keeps the path's text, everything else the tree's parent.
    check("cd /sys/bus/ap/devices/card04; ls ..; cd ..; pwd", "card04\ncard0a\n/sys/bus/ap/devices\n");
    check(
        "cd none",
        "! cd: none: No such file or directory (there is no `none` there: `ls /sys` lists what there is)\n= 1 ENOENT\n",
    );
    check("cd bus/ap/apmask", "! cd: bus/ap/apmask: Not a directory\n= 1 ENOTDIR\n");
    check("cd a b", "! cd: too many words (usage: cd [PATH])\n= 2\n");
}

#[test]
fn tests() {
    let holds = |text: &str, expected: u8| check(&format!("{text}; echo $?"), &format!("{expected}\n"));
    for yes in [
        "[ -e /sys/bus ]",
        "[ -d /sys/bus ]",
        "[ -f /sys/bus/ap/apmask ]",
        "[ -L /sys/broken ]",
        "[ -h /sys/broken ]",
        "[ -d /sys/bus/ap/devices/card04 ]",
        "[ -r /sys/bus/ap/ap_domain ]",
        "[ -w /sys/bus/ap/rescan ]",
        "[ a = a ]",
        "[ a != b ]",
        "[ x ]",
        "[ -n x ]",
        "[ -z '' ]",
        "[ 2 -eq 02 ]",
        "[ 1 -lt 2 ]",
        "[ 2 -ge 2 ]",
        "[ 2 -gt 1 ]",
        "[ 1 -le 1 ]",
        "[ 1 -ne 2 ]",
        "[ ! -e /none ]",
        "test a = a",
        "[ ! '' ]",
        "[ ! = ! ]",
        "[ ! ! x ]",
        "[ -e ]",
    ] {
        holds(yes, 0);
    }
    for no in [
        "[ -e /sys/broken ]",
        "[ -e /none ]",
        "[ -d /sys/bus/ap/apmask ]",
        "[ -f /sys/bus ]",
        "[ -L /sys/bus ]",
        "[ -r /sys/bus/ap/rescan ]",
        "[ -w /sys/bus/ap/ap_domain ]",
        "[ a = b ]",
        "[ '' ]",
        "[ ]",
        "test",
        "[ ! x ]",
        "[ 1 -eq 2 ]",
    ] {
        holds(no, 1);
    }
    check("[ a", "! [: the closing ] is missing (usage: [ EXPRESSION ])\n= 2\n");
    check(
        "[ a ~ b ] 2>&1 || [ -q b ]",
        "test: there is no operator ~ (usage: test EXPRESSION)\n! test: there is no operator -q (usage: test EXPRESSION)\n= 2\n",
    );
    check("[ x -eq 1 ]", "! test: x is not a number (usage: test EXPRESSION)\n= 2\n");
    check(
        "[ a = a -a b = b ]",
        "! test: too many words: use && and || between tests, and quote what may contain blanks (usage: test EXPRESSION)\n= 2\n",
    );
}

#[test]
fn verbs() {
    check("hw plug  04-06 ; guest start g1 'u u'; events", "hw plug 04-06\nguest start g1 u u\nevents \n");
    check("X=$(guest list); echo \"<$X>\"", "<guest list>\n");
    check("hw fail", "! hw: fail: as it was told\n= 1 EINVAL\n");
    check(
        "guest fail || events fail",
        "! guest: fail: as it was told\n! events: fail: as it was told\n= 1 EINVAL\n",
    );
}

#[test]
fn sleeping() {
    let mut shell = shell();
    assert_eq!(run(&mut shell, "sleep 2; sleep 0.5; sleep 250ms"), "");
    assert_eq!(shell.world().tree().now, 2750);
    check("sleep", "! sleep: one time is needed (usage: sleep N)\n= 2\n");
    check("sleep 1h", "! sleep: 1h is no time up to a year (usage: sleep N)\n= 2\n");
}

#[test]
fn steering() {
    check(": x; true x; false x", "= 1\n");
    check("exit x", "! exit: x is not a status from 0 to 255 (usage: exit [N])\n= 2\n");
    check("exit 1 2", "! exit: too many words (usage: exit [N])\n= 2\n");
    check("unset 1a", "! unset: 1a is no variable's name (usage: unset NAME…)\n= 2\n");
}

#[test]
fn help_lists_every_command() {
    let text = run(&mut shell(), "help");
    for command in commands() {
        assert!(text.lines().any(|line| line.starts_with(command.usage)), "{}", command.name);
        assert!(run(&mut shell(), &format!("help '{}'", command.name)).contains(command.summary));
    }
    check("help treee", "! help: there is no command treee (did you mean `tree`?)\n= 1\n");
    check("help mdevctl", "! help: there is no command mdevctl (`help` lists the commands)\n= 1\n");
    let names: Vec<&str> = commands().map(|command| command.name).collect();
    assert!(names.is_sorted());
}
