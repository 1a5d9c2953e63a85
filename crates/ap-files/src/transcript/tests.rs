use std::io::{self, Read};

use ap_task::{Kernel, Version};

use super::*;

fn lines(text: &str) -> Vec<Result<Line, TranscriptError>> {
    Lines::new("t.jsonl".to_owned(), Box::new(io::Cursor::new(text.to_owned()))).collect()
}

fn wrong(text: &str) -> String {
    lines(text).pop().expect("a line").expect_err("it is wrong").to_string()
}

#[test]
fn lines_are_operations_and_say_what_they_ask_for() {
    let text = "{\"i\":0,\"op\":\"hw\",\"cmd\":\"apm 4\",\"errno\":0}\n\n\
                {\"i\":5,\"op\":\"awrite\",\"path\":\"/sys/x\",\"data\":\"1\",\"id\":2,\"pending\":true}\n\
                {\"i\":6,\"op\":\"guest\",\"cmd\":\"open\",\"uuid\":\"u\",\"guest\":\"-\",\"errno\":\"EBUSY\",\"at\":\"group\"}\n\
                {\"i\":7,\"op\":\"join\",\"id\":2}\n";
    let lines: Vec<Line> = lines(text).into_iter().map(|line| line.expect("it is right")).collect();
    let calls: Vec<Call<'_>> = lines.iter().map(|line| line.call().expect("parsed")).collect();
    let open = GuestCall::Open { uuid: "u".into(), guest: None };
    let expected = [
        Call::Machine("apm 4"),
        Call::Later("/sys/x", b"1"[..].into(), 2),
        Call::Guest(open),
        Call::Join(2, 10_000),
    ];
    assert_eq!(calls, expected);
    assert_eq!(lines[2].errno, Some(Code::Name("EBUSY".into())));
    for line in &lines {
        let text = serde_json::to_vec(line).expect("JSON");
        assert_eq!(Line::parse(&text).as_ref(), Ok(line), "written down, it reads the same");
    }
}

#[test]
fn what_is_wrong_has_its_line_and_nothing_follows() {
    let note = |i: u64| format!("{{\"i\":{i},\"op\":\"note\"}}\n");
    assert_eq!(
        wrong(&(note(0) + "\n{\"i\":1,\"op\":\"write\",\"path\":\"/x\"}\n" + &note(2))),
        "t.jsonl:3: expected the key `data` in `write`"
    );
    assert_eq!(
        wrong(&(note(4) + &note(4))),
        "t.jsonl:2: expected an operation from 5 on (`i` ascends), found 4"
    );
    assert!(
        wrong("{\"i\":0,\"op\":\"note\",\"txt\":1}")
            .starts_with("t.jsonl:1: expected a transcript's operation; ")
    );
    assert!(
        wrong("{\"i\":0,\"op\":\"read\",\"path\":\"\",\"errno\":1}").contains("0 or the name of an errno")
    );
    assert!(wrong("{\"i\":0,\"op\":\"guest\",\"cmd\":\"sing\"}").contains("found `sing`"));
}

#[test]
fn a_source_that_fails_says_so() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }
    let mut lines = Lines::new("t".to_owned(), Box::new(Broken));
    assert_eq!(
        lines.next().map(|line| line.expect_err("it fails").to_string()),
        Some("t:1: Input/output error".into())
    );
    assert!(lines.next().is_none());
}

#[test]
fn the_schema_is_that_of_a_line() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).expect("JSON");
    assert_eq!(schema["required"], serde_json::json!(["i", "op"]));
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn characters_up_to_00ff_are_bytes() {
    for (text_, bytes_) in [
        ("plain", &b"plain"[..]),
        ("a\u{ff}\u{80}\u{7f}", b"a\xff\x80\x7f"),
        ("\u{c3}\u{a4}", "\u{e4}".as_bytes()),
    ] {
        assert_eq!(&*bytes(text_), bytes_);
        assert_eq!(text(bytes_.to_vec()), text_);
    }
    assert_eq!(&*bytes("\u{20ac}"), "\u{20ac}".as_bytes(), "nobody records it, and it is no byte");
}

#[test]
fn the_first_line_may_name_the_kernel() {
    let reader = |text: &str| Lines::new("t.jsonl".to_owned(), Box::new(io::Cursor::new(text.to_owned())));
    let seven = Kernel::of(Version::V7_1);
    let kernel = "{\"op\":\"kernel\",\"version\":\"7.1\"}\n";
    let note = "{\"i\":0,\"op\":\"note\"}\n";
    let mut lines = reader(&(kernel.to_owned() + note));
    assert_eq!(lines.kernel(), Ok(seven));
    assert_eq!(lines.map(|line| line.map(|line| line.i)).collect::<Vec<_>>(), [Ok(0)]);
    let mut lines = reader(note);
    assert_eq!(lines.kernel(), Ok(Kernel::default()));
    assert_eq!(lines.kernel(), Ok(Kernel::default()));
    assert_eq!(lines.count(), 1, "asking takes nothing away");
    let mut lines = reader(kernel);
    assert_eq!((lines.kernel(), lines.next()), (Ok(seven), None));
    let mut lines = reader("{\"op\":\"kernel\",\"version\":\"5.4\"}\n");
    let error = lines.kernel().unwrap_err();
    assert!(error.to_string().contains("t.jsonl:1: expected one of 6.12, "), "{error}");
    assert_eq!(lines.next(), None);
    assert!(wrong(&(note.to_owned() + kernel)).starts_with("t.jsonl:2: "));
    assert!(wrong("{\"op\":\"kernel\"}").starts_with("t.jsonl:1: "));
}

/// By these names other programs' types are called, and references lead there.
#[test]
fn the_schema_names_what_lines_are_made_of() {
    let schema = schemars::schema_for!(Line);
    let parts = schema.get("$defs").and_then(serde_json::Value::as_object).expect("definitions");
    let mut names: Vec<&str> = parts.keys().map(String::as_str).collect();
    names.sort_unstable();
    let wanted =
        ["Code", "Entries", "Guest", "Irq", "IrqAnswer", "Kind", "LogLine", "Node", "Text", "Uevent"];
    assert_eq!(names, wanted);
}
