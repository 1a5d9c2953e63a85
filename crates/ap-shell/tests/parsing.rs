//! What is no script, where, and what to write instead.

#[track_caller]
fn check(text: &str, expected: &str) {
    let error = ap_shell::parse(text, "f").expect_err(text);
    let more = if error.incomplete { " …" } else { "" };
    assert_eq!(format!("{error}{more}"), expected, "\n--- {text}");
}

#[test]
fn quotes_that_stay_open() {
    check("echo 'a\nb", "f:1:6: this ' is never closed (add a closing ') …");
    check("true\necho \"a", "f:2:6: this \" is never closed (add a closing \") …");
    check("echo $(ls", "f:1:6: this $( is never closed (add a closing )) …");
    check("echo ${A", "f:1:6: this ${ is never closed (add a closing }) …");
    check("echo ${", "f:1:6: this ${ is never closed (add a closing }) …");
    check("echo ${A:-b\n}", "f:1:6: this ${ is never closed on its line (add a closing })");
    check("echo a\\", "f:1:7: nothing follows the backslash (write `\\\\` for one) …");
}

#[test]
fn what_is_not_of_the_language() {
    check(
        "ls | cat",
        "f:1:4: pipes are not supported (use $(COMMAND), or run programs under `apmatrix run`)",
    );
    check("cat < x", "f:1:5: `<` is not supported (no command reads input: use $(cat PATH))");
    check("cat 0<x", "f:1:5: there is no descriptor 0 (1 is the output, 2 the messages)");
    check("cat 1<x", "f:1:6: `<` is not supported (no command reads input: use $(cat PATH))");
    check("cat << E", "f:1:5: here-documents are not supported (use `printf` with \\n)");
    check(
        "(ls)",
        "f:1:1: `(` is not supported here (group commands with `{ …; }`, or quote the parenthesis)",
    );
    check(
        "f() { ls; }",
        "f:1:2: `(` is not supported here (group commands with `{ …; }`, or quote the parenthesis)",
    );
    check("function f", "f:1:1: functions are not supported (use `for` and variables)");
    check(
        "while true; do ls; done",
        "f:1:1: `while` is not supported (loops run over words only: for X in WORDS; do …; done)",
    );
    check("case a in", "f:1:1: `case` is not supported (use `if [ a = b ]`)");
    check("a;;", "f:1:2: `;;` is not supported (use `if` instead of `case`)");
    check("echo `ls`", "f:1:6: backticks are not supported (write $(COMMAND))");
    check("echo \"`\"", "f:1:7: backticks are not supported (write $(COMMAND))");
    check(
        "echo $((1+1))",
        "f:1:6: arithmetic is not supported (write the number itself; a group in a substitution is `$( { …; } )`)",
    );
    check("echo $1", "f:1:6: `$1` is not supported (use a variable with a name, or quote the $ as '$')");
    check("echo \"$@\"", "f:1:7: `$@` is not supported (use a variable with a name, or quote the $ as '$')");
    check("echo $'a'", "f:1:6: `$'` and `$\"` are not supported (use `printf` for escapes)");
    check("echo ${#A}", "f:1:6: `${` needs a variable's name (write `${NAME}` or `${NAME:-TEXT}`)");
    check(
        "echo ${A%b}",
        "f:1:9: this form of `${…}` is not supported (only `${NAME}` and `${NAME:-TEXT}` are)",
    );
    check("ls &> x", "f:1:4: `&>` is not supported (write `> PATH 2>&1`)");
    check("ls 3> x", "f:1:4: there is no descriptor 3 (1 is the output, 2 the messages)");
    check("ls >&3", "f:1:4: `>&` needs 1 or 2 (write `>&2`, or `> PATH 2>&1`)");
}

#[test]
fn structure() {
    check(
        "ls; fi",
        "f:1:5: `fi` does not belong here (it is a word of the language: quote it ('fi') if it is a command)",
    );
    check("; ls", "f:1:1: expected a command, found `;` (`true` does nothing, `help` lists the commands)");
    check(
        "ls & ; ls",
        "f:1:6: expected a command, found `;` (`true` does nothing, `help` lists the commands)",
    );
    check(
        "ls &&",
        "f:1:6: expected a command, found the end of the text (`true` does nothing, `help` lists the commands) …",
    );
    check(
        "ls && || x",
        "f:1:7: expected a command, found `||` (`true` does nothing, `help` lists the commands)",
    );
    check(
        "!",
        "f:1:2: expected a command, found the end of the text (`true` does nothing, `help` lists the commands) …",
    );
    check("ls)", "f:1:3: `)` does not belong here (remove it, or quote it if it is text)");
    check("echo >", "f:1:7: expected a path after `>`, found the end of the text (write: COMMAND > PATH) …");
    check("echo > ; ls", "f:1:8: expected a path after `>`, found `;` (write: COMMAND > PATH)");
    check(
        "if true; fi",
        "f:1:10: `fi` does not belong here (it is a word of the language: quote it ('fi') if it is a command)",
    );
    check("if true; then", "f:1:14: a command is missing after `then` (`true` does nothing) …");
    check(
        "if true; then ls",
        "f:1:17: expected `fi`, found the end of the text (`if` of line 1 goes on with `fi`) …",
    );
    check(
        "if ; then ls; fi",
        "f:1:4: expected a command, found `;` (`true` does nothing, `help` lists the commands)",
    );
    check(
        "if true\nls",
        "f:2:3: expected `then`, found the end of the text (`if` of line 1 goes on with `then`) …",
    );
    check("if true; then else ls; fi", "f:1:15: a command is missing after `then` (`true` does nothing)");
    check("for x; do ls; done", "f:1:6: expected `in`, found `;` (`for` of line 1 goes on with `in`)");
    check(
        "for 1 in a; do ls; done",
        "f:1:5: `for` needs a variable's name, found `1` (write: for X in WORDS; do …; done)",
    );
    check(
        "for",
        "f:1:4: `for` needs a variable's name, found the end of the text (write: for X in WORDS; do …; done) …",
    );
    check(
        "for x in a & do",
        "f:1:12: `&` does not belong into the words of `for` (write: for X in WORDS; do …; done)",
    );
    check("for x in a b\nls\ndone", "f:2:1: expected `do`, found `ls` (`for` of line 1 goes on with `do`)");
    check("for x in a; do\ndone", "f:2:1: a command is missing after `do` (`true` does nothing)");
    check("{ ls", "f:1:5: expected `}`, found the end of the text (`{` of line 1 goes on with `}`) …");
    check(
        "if a; then b; fi > x",
        "f:1:18: a redirection belongs to a simple command (redirect the commands inside, each is a write of its own)",
    );
    check("if a; then b; fi c", "f:1:18: `c` does not belong here (end the command before it with `;`)");
    check(
        "for x in a; do b; done &",
        "f:1:1: only simple commands and their && and || can run in the background (put the `&` behind the commands inside)",
    );
    check(
        "true && { ls; } &",
        "f:1:9: only simple commands and their && and || can run in the background (put the `&` behind the commands inside)",
    );
}

#[test]
fn limits() {
    let deep = |n: usize| format!("{}ls{}", "echo $(".repeat(n), ")".repeat(n));
    assert!(ap_shell::parse(&deep(24), "f").is_ok());
    check(&deep(25), "f:1:174: nested more than 24 deep (use variables for the inner parts)");
    for opener in [
        "echo $(",
        "echo \"$(",
        "{ ",
        "if ",
        "if true; then ",
        "for x in a; do ",
        "! ",
        "echo ${A:-",
        "echo \"${A:-",
    ] {
        let text = opener.repeat(100_000);
        assert!(ap_shell::parse(&text, "f").is_err(), "{opener}");
    }
    check(&"#".repeat((1 << 20) + 1), "f:1:1: the script is longer than 1 MiB (split it)");
    check("echo é)", "f:1:7: `)` does not belong here (remove it, or quote it if it is text)");
}

#[test]
fn scripts_know_their_name_and_can_go_to_other_threads() {
    fn sendable<T: Send + Sync>(_: &T) {}
    let script = ap_shell::parse("ls", "name").unwrap();
    sendable(&script);
    assert_eq!(script.name(), "name");
    assert!(!script.is_empty());
    assert!(ap_shell::parse("\n# x\n", "name").unwrap().is_empty());
}
