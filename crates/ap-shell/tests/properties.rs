//! Any text at all.

mod common;

use ap_shell::{fuzz_entry, quote};
use proptest::prelude::*;

/// Texts that are nearly scripts.
fn fragments() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "echo",
        "cat",
        "printf",
        "ls",
        "tree",
        "stat",
        "test",
        "[",
        "]",
        "set",
        "-eu",
        "-x",
        "exit",
        "wait",
        "jobs",
        "sleep",
        "hw",
        "answer",
        "fail",
        "unset",
        "cd",
        "break",
        "continue",
        "if",
        "then",
        "else",
        "elif",
        "fi",
        "for",
        "in",
        "do",
        "done",
        "{",
        "}",
        "!",
        "&&",
        "||",
        ";",
        "&",
        "\n",
        ">",
        ">>",
        "2>",
        "2>&1",
        ">&2",
        "|",
        "<",
        "(",
        ")",
        "$(",
        "$A",
        "${A:-",
        "}",
        "\"",
        "'",
        "\\",
        "A=",
        "A=$A$A",
        "$?",
        "$!",
        "*",
        "?",
        "/sys/a/*",
        "/sys/b/wait",
        "/sys/a/wo",
        "/dev/null",
        "/sys/*/*",
        "../..",
        "%5d",
        "%s%s",
        "\\0\\x",
        "1",
        "#",
        " ",
        "é",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.join(" "))
}

/// 2000, or what the environment asks for in a longer run.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        fuzz_entry(&bytes);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        fuzz_entry(text.as_bytes());
    }

    #[test]
    fn near_scripts_never_panic(text in fragments()) {
        fuzz_entry(text.as_bytes());
    }

    #[test]
    fn a_quoted_word_expands_to_itself(text in any::<String>(), other in "[ -~\n\t]{0,20}") {
        let mut shell = common::shell();
        let script = ap_shell::parse(&format!("A={0} B={1}; C=\"$B$A\"", quote(&text), quote(&other)), "t").unwrap();
        let status = shell.run(&script, &mut |_, _| {});
        prop_assert!(status.is_ok());
        prop_assert_eq!(shell.variable("A"), Some(&text[..]));
        let both = format!("{other}{text}");
        prop_assert_eq!(shell.variable("C"), Some(&both[..]));
        let printed = common::run(&mut shell, &format!("printf %s {}", quote(&text)));
        prop_assert_eq!(printed, text);
    }
}
