//! The language: words, quotes, variables, lists, loops, conditions.

mod common;

use common::{check, run, shell};

#[test]
fn words_and_quotes() {
    check("echo a   b 'c  d' \"e  f\"", "a b c  d e  f\n");
    check(r#"echo a\ b "\$x \" \\ \a" '\n' x'y'"z""#, "a b $x \" \\ \\a \\n xyz\n");
    check("echo '' \"\" x", "  x\n");
    check("echo a\\\nb \"c\\\nd\"", "ab cd\n");
    check("echo a # no\n# no\necho b#yes", "a\nb#yes\n");
    check("echo a\r\necho b\r\n", "a\nb\n");
    check("echo 'a\r\nb'", "a\r\nb\n");
    check("echo $ \"$\" $% a$", "$ $ $% a$\n");
    check("echo {a,b} ~ a=b if done !", "{a,b} ~ a=b if done !\n");
    check("", "");
    check(" # nothing\n\n", "");
}

#[test]
fn variables() {
    check("A=1 B='x y'; echo $A ${B}z \"$B\"", "1 x yz x y\n");
    check("A='a  b'; echo $A; echo \"$A\"; B=$A; echo \"$B\"", "a b\na  b\na  b\n");
    check("echo [$NONE] [\"$NONE\"] $NONE", "[] []\n");
    check(
        "echo ${A:-d e} \"${A:-d  e}\" ${A:-'x  y'}; A=; echo ${A:-z}; A=v; echo ${A:-z}",
        "d e d  e x  y\nz\nv\n",
    );
    check("A=1; echo ${A:-${B:-c}}; unset A; echo ${A:-${B:-c}}", "1\nc\n");
    check("A=1 echo x; echo [$A]", "x\n[]\n");
    check("A=' a b '; echo x${A}y", "x a b y\n");
    check("A=\"it's\" B=2; set", "A='it'\\''s'\nB=2\n");
    check("C=echo; $C works; D='echo two'; $D", "works\ntwo\n");
}

#[test]
fn status_and_lists() {
    check("true; echo $?; false; echo $?", "0\n1\n");
    check("true && echo a; false && echo b; true || echo c; false || echo d", "a\nd\n");
    check("false && echo a || echo b && echo c", "b\nc\n");
    check("true &&\n\n echo a ||\n echo b", "a\n");
    check("! false; echo $?; ! true; echo $?; ! ! true; echo $?", "0\n1\n0\n");
    check("{ echo a; false; } || { echo b; }", "a\nb\n");
    check("false", "= 1\n");
    check("exit 3; echo no", "= 3\n");
    check("false; exit", "= 1\n");
}

#[test]
fn substitution() {
    check("echo $(echo a; echo b) \"$(echo a; echo b)\"", "a b a\nb\n");
    check("X=$(cat /sys/bus/ap/apmask); echo $X", "0xffff\n");
    check("X=$(false); echo $?; X=$(exit 7); echo $?", "1\n7\n");
    check("A=1; X=$(A=2; cd /sys/bus; echo $A); echo $A $X; pwd", "1 2\n/sys\n");
    check("echo $(echo $(echo \"$(echo deep)\"))", "deep\n");
    check("echo \"a$(echo \")\")b\"", "a)b\n");
    check("echo $(# comment )\necho x)", "x\n");
    check("echo [$( )]", "[]\n");
    check(
        "echo $(printf 'a\\0b\\n\\n\\n')|",
        "parse: test:1:28: pipes are not supported (use $(COMMAND), or run programs under `apmatrix run`)",
    );
    check("echo \"$(printf 'a\\0b\\n\\n\\n')\"", "ab\n");
}

#[test]
fn patterns() {
    check(
        "echo /sys/devices/ap/card*/online",
        "/sys/devices/ap/card04/online /sys/devices/ap/card0a/online\n",
    );
    check("cd /sys/devices; echo ap/card?4 *", "ap/card04 ap\n");
    check("echo /sys/devices/ap/*x '/sys/bus/*' \"*\" \\*", "/sys/devices/ap/*x /sys/bus/* * *\n");
    check("P='/sys/b*'; echo $P \"$P\"; Q=/sys/b*; echo \"$Q\"", "/sys/broken /sys/bus /sys/b*\n/sys/b*\n");
    check("echo /*/bus/ap/devices/*4/online", "/sys/bus/ap/devices/card04/online\n");
    check("echo /sys/*/ap/none", "/sys/*/ap/none\n");
    check("echo /sys/bus/*/", "/sys/bus/ap/\n");
    check("echo /sys/bus/ap/apmask/*", "/sys/bus/ap/apmask/*\n");
}

#[test]
fn loops() {
    check("for X in a 'b c' $(echo d e); do echo \"<$X>\"; done", "<a>\n<b c>\n<d>\n<e>\n");
    check("for X in\ndo echo no; done; echo $?", "0\n");
    check("for X in a b c\ndo\n  [ $X = b ] && continue\n  echo $X\ndone", "a\nc\n");
    check("for X in a b c; do [ $X = b ] && break; echo $X; done; echo $X", "a\nb\n");
    check("for X in 1 2; do for Y in 1 2; do echo $X$Y; break; done; done", "11\n21\n");
    check("for X in /sys/devices/ap/*; do cat $X/online; done", "1\n0\n");
    check("for X in a; do false; done", "= 1\n");
    check("for in in in; do echo $in; done", "in\n");
    check("break", "! break: only meaningful in a loop (usage: break)\n= 2\n");
    check(
        "for X in a; do break 2; done",
        "! break: it takes no number, and leaves the innermost loop (usage: break)\n= 2\n",
    );
    check("for X in a; do Y=$(break); done", "! break: only meaningful in a loop (usage: break)\n= 2\n");
}

#[test]
fn conditions() {
    check("if true; then echo a; else echo b; fi", "a\n");
    check("if false; then echo a; elif true\nthen echo b; else echo c; fi", "b\n");
    check("if false\nthen\necho a\nelse\nif true; then echo c; fi\nfi", "c\n");
    check("if ! [ -e /sys/none ]; then echo a; fi && echo b", "a\nb\n");
    check("if false; then echo a; fi; echo $?", "0\n");
    check("if true; then false; fi", "= 1\n");
}

#[test]
fn options() {
    check(
        "set -e; false || true; if false; then :; fi; ! true; false && true; echo on; false; echo no",
        "on\n= 1\n",
    );
    check("set -e; X=$(false); echo no", "= 1\n");
    check("set -e; { false; echo yes; } || echo no; { false; echo no; }", "yes\n= 1\n");
    check("set -e; for X in 1 2; do echo $X; false; done", "1\n= 1\n");
    check("set -e; set +e; false; echo on", "on\n");
    check("set -u; echo ${A:-x}; echo $A; echo no", "x\n! sh: A: parameter not set\n= 2\n");
    check("set -x; A='b c'; echo \"$A\" > /dev/null", "! + A='b c'\n! + echo 'b c'\n");
    check("set -eu; false", "= 1\n");
    check("set -o", "! set: -o is no option (usage: set [-+eux]…)\n= 2\n");
}

#[test]
fn what_stays_from_one_script_to_the_next() {
    let mut shell = shell();
    assert_eq!(run(&mut shell, "A=1; cd bus; false"), "= 1\n");
    assert_eq!(run(&mut shell, "echo $? $A; pwd"), "1 1\n/sys/bus\n");
    assert!(!shell.exited());
    assert_eq!(run(&mut shell, "exit"), "");
    assert!(shell.exited());
    shell.set_variable("B", "two");
    assert_eq!(run(&mut shell, "echo $B"), "two\n");
    assert!(!shell.exited());
    assert_eq!((shell.variable("A"), shell.current_directory()), (Some("1"), "/sys/bus"));
}

#[test]
fn unknown_commands_name_place_and_nearest() {
    check("true\n  catt x", "! test:2:3: catt: command not found (did you mean `cat`?)\n= 127\n");
    check(
        "lszcrypt -V",
        "! test:1:1: lszcrypt: command not found (`help` lists the commands; programs run under `apmatrix run`)\n= 127\n",
    );
    check("ecoh x 2> /dev/null || echo $?", "127\n");
    let script = ap_shell::parse("a=$(lss)\nif treee; then for x in $(ct); do 'slep'; $x; done; fi > x", "s");
    assert!(script.is_err());
    let script =
        ap_shell::parse("a=$(lss)\nif treee; then for x in $(ct); do 'slep'; $x; echo; done; fi", "s")
            .unwrap();
    let found: Vec<String> = (script.unknown_commands().iter())
        .map(|u| format!("{}:{} {} {:?}", u.place.line, u.place.column, u.name, u.nearest))
        .collect();
    assert_eq!(
        found,
        [
            "1:5 lss Some(\"ls\")",
            "2:4 treee Some(\"tree\")",
            "2:27 ct Some(\"cat\")",
            "2:35 slep Some(\"sleep\")"
        ]
    );
}

#[test]
fn limits() {
    let mut shell = shell();
    shell.set_budget(1000);
    let nested = "for A in 1 2 3 4 5 6 7 8 9 0; do ".repeat(8) + "true; " + &"done; ".repeat(8);
    assert_eq!(run(&mut shell, &nested), "! sh: the script does more than it may: stopped\n= 2\n");
    assert_eq!(run(&mut shell, "echo fine"), "fine\n");
    assert_eq!(
        run(&mut shell, &format!("echo $({nested}); echo no")),
        "! sh: the script does more than it may: stopped\n= 2\n"
    );
    let doubling = format!("A=xxxxxxxxxxxxxxxx; {}", "A=$A$A$A$A; ".repeat(30));
    assert_eq!(run(&mut shell, &doubling), "! sh: the script does more than it may: stopped\n= 2\n");
    shell.set_budget(u64::MAX);
    let words = format!("A=$(printf %60000s x); echo \"{}\"", "$A".repeat(300));
    assert_eq!(run(&mut shell, &words), "! sh: a word is longer than 16 MiB\n= 2\n");
    let words = format!("echo {}", "\"$A\" ".repeat(300));
    assert_eq!(run(&mut shell, &words), "! sh: the words of a command are too many or too long\n= 2\n");
    let output = format!("B=$({})", "echo \"$A\"; ".repeat(300));
    assert_eq!(run(&mut shell, &output), "! sh: a substitution's output is longer than 16 MiB\n= 2\n");
    assert_eq!(run(&mut shell, &doubling), "! sh: the variables are larger than 16 MiB\n= 2\n");
}

#[test]
fn the_deepest_nesting_fits_a_fiber_s_stack() {
    let text = format!("{}ls{}", "if true; then echo $(".repeat(12), "); fi".repeat(12));
    let text = text + "\n" + &"echo \"$(".repeat(24) + "ls" + &")\"".repeat(24);
    let text = text + "\necho " + &"${N:-".repeat(20) + "ls" + &"}".repeat(20);
    let run = move || run(&mut shell(), &text);
    // Half of what a fiber has.
    let half = if cfg!(target_arch = "s390x") { 256 << 10 } else { 128 << 10 };
    let printed = std::thread::Builder::new().stack_size(half).spawn(run).unwrap().join().unwrap();
    assert_eq!(printed, "broken bus devices m n\nbroken\nbus\ndevices\nm\nn\nls\n");
}
