//! H12, H13: what an exploration says of a scenario.

use std::fs;

use serde_json::Value;

use crate::common::apmatrix_in;

const SCENARIO: &str = "schema = \"apmatrix.scenario/1\"\nmachine = \"tiny\"\ntitle = \"two\"\n\
    [[task]]\nname = \"a\"\nrun = \"\"\"\necho -4 > /sys/bus/ap/apmask\ncat /sys/bus/ap/apmask\n\"\"\"\n\
    [[task]]\nname = \"b\"\nrun = \"cat /sys/bus/ap/aqmask\"\n";

#[test]
fn h12_not_as_expected_comes_first_with_a_difference() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    let wrong = format!("{SCENARIO}[expect]\noutcomes = [{{ a = \"EBUSY\", b = \"ok\" }}]\n");
    fs::write(at.join("wrong.toml"), wrong).expect("a file");
    fs::write(at.join("right.toml"), SCENARIO).expect("a file");
    let ran = apmatrix_in(at, &["explore", "wrong.toml"]);
    assert_eq!(ran.status, 1);
    let first: Vec<&str> = ran.out.lines().take(3).collect();
    assert_eq!(
        first,
        [
            "not as expected two",
            "  + a=ok b=ok   (found, not expected)",
            "  - a=EBUSY b=ok   (expected, never found)"
        ]
    );
    let ran = apmatrix_in(at, &["explore", "right.toml", "right.toml", "wrong.toml"]);
    assert_eq!(ran.status, 1);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with("clean  right.toml  "), "{}", ran.out);
    assert!(lines[2].starts_with("not as expected  wrong.toml  "), "{}", ran.out);
    let sum = lines.last().expect("a sum");
    assert!(sum.starts_with("3 scenarios: 2 clean, 1 not as expected; "), "{sum}");
}

#[test]
fn h13_a_replay_names_script_lines_and_queues() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    fs::write(at.join("s.toml"), SCENARIO).expect("a file");
    let document: Value =
        serde_json::from_str(&apmatrix_in(at, &["explore", "s.toml", "--json"]).out).expect("a document");
    let schedule = document["outcomes"][0]["schedule"].as_str().expect("a schedule").to_owned();
    let out = apmatrix_in(at, &["explore", "s.toml", "--replay", &schedule]).out;
    for line in
        ["a:1: echo -4 > /sys/bus/ap/apmask", "a:2: cat /sys/bus/ap/apmask", "b:1: cat /sys/bus/ap/aqmask"]
    {
        assert!(
            out.lines().any(|found| found.trim_start().starts_with('>') && found.ends_with(line)),
            "{line}\n{out}"
        );
    }
    let first = out.lines().nth(1).expect("a line");
    assert!(first.trim_start().starts_with('>'), "a command stands before its first step: {out}");
    assert!(out.contains("takes the binding (D) of 04.0006"), "{out}");
    for raw in ["1030", "1095", "oracle", "Perms", "read-lock"] {
        assert!(!out.contains(raw), "{raw}\n{out}");
    }
}
