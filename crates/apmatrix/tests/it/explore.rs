//! What `explore` does with schedules and pages.

use std::fs;

use serde_json::Value;

use crate::common::{apmatrix, apmatrix_in, one_line};

const SCENARIO: &str = "schema = \"apmatrix.scenario/1\"\ntitle = \"a mask meets an assign\"\nmachine = \"tiny\"\n\
    setup = \"\"\"\necho -4 > /sys/bus/ap/apmask\n\
    echo a0000000-0000-4000-8000-000000000001 > /sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create\n\
    echo 6 > /sys/devices/vfio_ap/matrix/a0000000-0000-4000-8000-000000000001/assign_domain\n\"\"\"\n\
    [[task]]\nname = \"bus\"\nrun = \"echo +4 > /sys/bus/ap/apmask\"\n\
    [[task]]\nname = \"admin\"\n\
    run = \"echo 4 > /sys/devices/vfio_ap/matrix/a0000000-0000-4000-8000-000000000001/assign_adapter\"\n";

/// A directory with the scenario, and the schedule of the outcome in which the mask is written first.
fn directory() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("s.toml"), SCENARIO).expect("a file");
    let ran = apmatrix_in(directory.path(), &["explore", "s.toml", "--json"]);
    let value: Value = serde_json::from_str(&ran.out).expect("a document");
    let outcomes = value["outcomes"].as_array().expect("a list");
    let refused =
        outcomes.iter().find(|outcome| outcome["results"]["admin"] != "ok").expect("one is refused");
    (directory, refused["schedule"].as_str().expect("a schedule").to_owned())
}

#[test]
fn a_replay_tells_the_script_and_what_became_of_queues() {
    let (directory, schedule) = directory();
    let ran = apmatrix_in(directory.path(), &["explore", "s.toml", "--replay", &schedule]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    for line in [
        "bus: echo +4 > /sys/bus/ap/apmask",
        "admin: echo 4 >",
        "takes P (apmask, aqmask)  [P]",
        "= 04.0006 unbound",
        "= 04.0006 bound to cex4queue",
    ] {
        assert!(ran.out.contains(line), "{line} in:\n{}", ran.out);
    }
    let long = ran.out.lines().skip(1).find(|line| line.chars().count() > 110);
    assert_eq!(long, None);
}

/// A kernel developer missed where the mask is stored, what in-use answered, and what the assign changed.
#[test]
fn a_replay_tells_what_calls_ask_write_and_answer() {
    let (directory, mask_first) = directory();
    let on = |schedule: &str| {
        let ran = apmatrix_in(directory.path(), &["explore", "s.toml", "--replay", schedule]);
        assert_eq!(ran.status, 0, "{}", ran.err);
        ran.out
    };
    let told = |said: &str, lines: &[&str]| {
        let notes: Vec<&str> = said.lines().filter_map(|line| line.trim().strip_prefix("= ")).collect();
        // In this order.
        let mut left = notes.iter();
        for line in lines {
            assert!(left.any(|note| note.starts_with(line)), "{line} in:\n{said}");
        }
    };
    told(&on(&mask_first), &["in use: by nobody", "apmask stored: +4", "answers 0", "answers EADDRNOTAVAIL"]);
    let ran = apmatrix_in(directory.path(), &["explore", "s.toml", "--json"]);
    let value: Value = serde_json::from_str(&ran.out).expect("a document");
    let outcomes = value["outcomes"].as_array().expect("a list");
    let assigned =
        outcomes.iter().find(|outcome| outcome["results"]["admin"] == "ok").expect("one goes through");
    let mdev = "a0000000-0000-4000-8000-000000000001";
    let said = on(assigned["schedule"].as_str().expect("a schedule"));
    told(&said, &[&format!("mdev {mdev} has adapter 4; domain 6")]);
    told(&said, &[&format!("in use: by {mdev} of vfio_ap"), "answers EBUSY"]);
    assert!(!said.contains("stored"), "{said}");
}

#[test]
fn a_stale_schedule_is_followed_and_explored_from_where_it_left() {
    let (directory, schedule) = directory();
    let on = |arguments: &[&str]| {
        let all: Vec<&str> = ["explore", "s.toml", "--replay"].iter().chain(arguments).copied().collect();
        apmatrix_in(directory.path(), &all)
    };
    // The first steps by `bus` fit; then it is to go on for longer than it does.
    let runs = schedule.split('~').next().expect("the runs");
    let first = runs.split('.').next().expect("a run");
    let stale = format!("{first}.0x5000");
    let ran = on(&[&stale]);
    assert_eq!(ran.status, 1, "{}", ran.out);
    assert!(ran.out.contains("bus: echo +4 > /sys/bus/ap/apmask"), "{}", ran.out);
    assert!(
        one_line(&ran.err).contains("which has ended: on this way it takes fewer steps; `0x"),
        "{}",
        ran.err
    );
    assert!(
        one_line(&ran.err).contains("with `--explore` what can come after it is explored"),
        "{}",
        ran.err
    );

    let ran = on(&[&stale, "--explore"]);
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    assert!(one_line(&ran.err).contains("followed up to step"), "{}", ran.err);
    // The bus has written its mask: only what is refused can come.
    assert!(ran.out.contains("admin=EADDRNOTAVAIL bus=ok") && !ran.out.contains("admin=ok"), "{}", ran.out);
    assert!(one_line(&ran.out).contains("all interleavings that begin with the"), "{}", ran.out);
    let ran = apmatrix_in(directory.path(), &["explore", "s.toml", "--explore"]);
    assert_eq!(ran.status, 2, "{}", ran.err);
}

/// A script must not take what follows a schedule for everything.
#[test]
fn what_was_explored_after_a_schedule_says_so_in_its_document() {
    let (directory, schedule) = directory();
    let json = |arguments: &[&str]| -> Value {
        let all = [&["explore", "s.toml", "--json", "--replay"], arguments].concat();
        let ran = apmatrix_in(directory.path(), &all);
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err))
    };
    let runs = schedule.split('~').next().expect("the runs");
    let first = runs.split('.').next().expect("a run");
    let steps: usize = first.split_once('x').map_or(1, |(_, steps)| steps.parse().expect("a number"));

    // A schedule that is cut off is no stale one.
    let document = json(&[first, "--explore"]);
    assert_eq!((&document["verdict"], &document["exhausted"]), (&"clean".into(), &true.into()));
    assert_eq!(document["after"]["steps"], steps, "{document:#}");
    assert!(document["after"]["schedule"].as_str().expect("text").starts_with(first), "{document:#}");
    assert_eq!(document["after"].get("left"), None);

    let stale = format!("{first}.0x5000");
    let document = json(&[&stale, "--explore"]);
    let left = document["after"]["left"].as_str().expect("why it was left");
    assert!(left.contains("which has ended"), "{left}");
    let document = json(&[&stale]);
    assert!(document["left"].as_str().expect("why it was left").contains("which has ended"), "{document:#}");
    assert!(!document["trace"].as_array().expect("steps").is_empty());
    assert_eq!(json(&[&schedule]).get("left"), None);

    let ran = apmatrix_in(
        directory.path(),
        &["explore", "s.toml", "--replay", first, "--explore", "--html", "after.html"],
    );
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{}", ran.out);
    let page = data(&fs::read_to_string(directory.path().join("after.html")).expect("a page"));
    let summary = page["summary"].as_str().expect("a summary");
    assert!(summary.starts_with(&format!("after the first {steps} steps of a schedule: ")), "{summary}");
}

#[test]
fn a_schedule_cut_inside_a_lock_is_told_a_whole_one_that_fits() {
    let (directory, schedule) = directory();
    // The first task is left where it holds a lock that the next one wants.
    let first: usize = schedule.split(['x', '.']).nth(1).and_then(|steps| steps.parse().ok()).expect("steps");
    let cut = (1..first).find_map(|steps| {
        let text = format!("0x{steps}.1x40.0x{}", first - steps);
        let ran = apmatrix_in(directory.path(), &["explore", "s.toml", "--replay", &text]);
        let said = one_line(&ran.err);
        let fits = said.split('`').find(|word| word.starts_with("0x") && word.contains(".1"))?.to_owned();
        said.contains("waits for").then_some((fits, said))
    });
    let (fits, said) = cut.expect("a place where it is cut inside a lock");
    let ran = apmatrix_in(directory.path(), &["explore", "s.toml", "--replay", &fits]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{fits}: {said}");
}

/// The data of a page.
fn data(page: &str) -> Value {
    let from = page.find("application/json\">").expect("data") + "application/json\">".len();
    let to = from + page[from..].find("</script>").expect("its end");
    serde_json::from_str(&page[from..to]).expect("JSON")
}

#[test]
fn a_page_has_every_outcome_step_by_step_and_needs_nothing_else() {
    let (directory, schedule) = directory();
    let ran = apmatrix_in(directory.path(), &["explore", "s.toml", "--html", "page.html"]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    let page = fs::read_to_string(directory.path().join("page.html")).expect("a page");
    assert!(
        !page.contains("http://") && !page.contains("https://") && !page.contains("src="),
        "it loads something"
    );
    let all = data(&page);
    let executions = all["executions"].as_array().expect("a list");
    assert_eq!(executions.len(), 2, "{all:#}");
    let again = executions.iter().filter_map(|execution| execution["again"].as_str());
    assert!(again.clone().any(|again| again.ends_with(&schedule)), "{schedule}: {again:?}");
    for execution in executions {
        assert!(!execution["steps"].as_array().expect("a list").is_empty());
        assert_eq!(execution["queues"]["04.0006"], "vfio_ap", "at the beginning");
    }

    let ran = apmatrix_in(directory.path(), &["explore", "--specimen", "seed-theft", "--html", "theft.html"]);
    assert_eq!(ran.status, 1, "{}", ran.err);
    let page = data(&fs::read_to_string(directory.path().join("theft.html")).expect("a page"));
    assert_eq!((&page["verdict"], &page["executions"][0]["wrong"]), (&"stolen".into(), &true.into()));
    // It tells the story without the mail: its numbers at the steps, its words beside them, how it ends.
    let found = &page["executions"][0];
    let marks: Vec<&str> =
        found["steps"].as_array().expect("a list").iter().filter_map(|step| step["mark"].as_str()).collect();
    assert_eq!(marks, ["(1)", "(2)", "(3)", "(4)", "(5)", "(6)"]);
    assert_eq!(page["beside"]["lines"].as_array().map(Vec::len), Some(6));
    assert!(found["state"].as_str().is_some_and(|state| state.contains("bound to cex4queue")), "{found:#}");

    let ran =
        apmatrix_in(directory.path(), &["explore", "--specimen", "seed-deadlock", "--html", "dead.html"]);
    assert_eq!(ran.status, 1, "{}", ran.err);
    let page = data(&fs::read_to_string(directory.path().join("dead.html")).expect("a page"));
    let waits = page["executions"][0]["waits"].as_array().expect("a list");
    let numbers: Vec<&str> = waits.iter().filter_map(|wait| wait[1].as_str()?.split(' ').next()).collect();
    assert_eq!(numbers, ["(3)", "(4)"], "{waits:?}");

    let ran = apmatrix_in(directory.path(), &["explore", "s.toml", "--html", "not/there.html"]);
    assert_eq!(ran.status, 3, "{}", ran.err);
    assert!(
        one_line(&ran.err).contains("not/there.html cannot be written: No such file or directory"),
        "{}",
        ran.err
    );
    let ran = apmatrix_in(directory.path(), &["explore", "s.toml", "s.toml", "--html", "page.html"]);
    assert_eq!(ran.status, 2, "{}", ran.err);
}

/// The page of a check that failed said `clean`.
#[test]
fn a_page_of_what_is_not_as_expected_says_so() {
    let (directory, _) = directory();
    let text = fs::read_to_string(directory.path().join("s.toml")).expect("a scenario");
    let ran = apmatrix_in(directory.path(), &["explore", "s.toml", "--json"]);
    let found: Value = serde_json::from_str(&ran.out).expect("a document");
    let ends = found["outcomes"].as_array().expect("a list");
    let one = ends[0]["results"].as_object().expect("results");
    let one: Vec<String> = one.iter().map(|(task, result)| format!("{task} = {result}")).collect();
    let other = one.iter().map(|row| format!("{} = \"ENOSPC\"", row.split(' ').next().unwrap_or_default()));
    let other: Vec<String> = other.collect();
    let expect = format!("\n[expect]\noutcomes = [{{ {} }}, {{ {} }}]\n", one.join(", "), other.join(", "));
    fs::write(directory.path().join("few.toml"), text + &expect).expect("a scenario");
    let ran = apmatrix_in(directory.path(), &["explore", "few.toml", "--html", "few.html"]);
    assert_eq!(ran.status, 1, "{}", ran.err);
    let page = data(&fs::read_to_string(directory.path().join("few.html")).expect("a page"));
    assert_eq!((&page["verdict"], &page["good"]), (&"not as expected".into(), &false.into()));
    let said = page["unexpected"].as_array().expect("lines");
    assert_eq!(said.len(), 2, "{said:?}");
    let wrong: Vec<&Value> =
        page["executions"].as_array().expect("a list").iter().map(|e| &e["wrong"]).collect();
    assert_eq!(wrong, [&Value::Bool(false), &Value::Bool(true)]);
    assert_eq!(page["executions"][1]["what"], "found, not expected");
}

/// What a schedule that gives a task too many steps is told can be followed.
#[test]
fn a_schedule_that_fits_is_named_also_where_a_task_has_ended() {
    let (directory, schedule) = directory();
    let on = |schedule: &str| apmatrix_in(directory.path(), &["explore", "s.toml", "--replay", schedule]);
    let runs = schedule.split('~').next().expect("the runs");
    let first = runs.split('.').next().expect("a run");
    let ran = on(&format!("{first}.0x5000"));
    let said = one_line(&ran.err);
    let fits = said.split('`').find(|part| part.starts_with("0x")).unwrap_or_else(|| panic!("{said}"));
    let ran = on(fits);
    assert_eq!(ran.status, 0, "{fits}: {}", ran.err);
}

#[test]
fn an_audit_says_how_far_it_came() {
    let (directory, _) = directory();
    let on = |arguments: &[&str]| {
        apmatrix_in(directory.path(), &[&["explore", "s.toml", "--audit", "3"], arguments].concat())
    };
    let ran = on(&[]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    let said = one_line(&ran.out);
    assert!(
        said.contains("audited: ") && said.contains("more than the 3 pasts that were followed"),
        "{said}"
    );

    let ran = on(&["--json"]);
    let document: Value = serde_json::from_str(&ran.out).expect("a document");
    let audit = &document["audit"];
    assert_eq!((&audit["finished"], &audit["pasts"]), (&true.into(), &3.into()), "{audit}");
    assert!(audit["places"].as_u64() > Some(0) && audit["states"].as_u64() > Some(0), "{audit}");

    // What could not be audited is no success.
    let ran = on(&["--budget", "0"]);
    assert_eq!(ran.status, 1, "{}", ran.out);
    assert!(ran.out.contains("  NOT audited to the end: 0 places"), "{}", ran.out);

    let ran = on(&["--engine", "dpor"]);
    assert_eq!(ran.status, 2, "{}", ran.out);
    assert!(one_line(&ran.err).contains("dpor does not"), "{}", ran.err);
    assert!(!apmatrix_in(directory.path(), &["explore", "s.toml"]).out.contains("udited"));
}

#[test]
fn options_of_sequences_are_refused_where_there_are_none() {
    let options: [&[&str]; 4] = [
        &["--depth", "2"],
        &["--alphabet", "core"],
        &["--checkpoint", "somewhere"],
        &["--hosts", "hosts", "--process", "0"],
    ];
    let others: [&[&str]; 3] = [&["--specimen", "seed-theft"], &["--list"], &["s.toml"]];
    for (number, option) in options.into_iter().enumerate() {
        // A scenario can be shared out, too (`levels`).
        for other in &others[..if number < 2 { 3 } else { 2 }] {
            let ran = apmatrix(&[&["explore"], option, other].concat());
            assert_eq!(ran.status, 2, "{option:?} {other:?}: {}{}", ran.out, ran.err);
            assert!(ran.err.contains(option[0]), "{}", ran.err);
        }
    }
    let ran = apmatrix(&["explore", "--sequences", "--replay", "0x1"]);
    assert_eq!(ran.status, 2, "{}", ran.err);
}

#[test]
fn files_that_cannot_be_read_are_wrong_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let endless = folder.path().join("endless.toml");
    std::fs::write(
        &endless,
        "schema = \"apmatrix.scenario/1\"\ntitle = \"t\"\nmachine = \"/dev/zero\"\n[[task]]\nname = \"a\"\nrun = \"true\"\n",
    )
    .expect("a file");
    let endless = endless.to_str().expect("text");
    let missing = folder.path().join("hosts");
    let missing = missing.to_str().expect("text");
    let hosts = ["explore", "--sequences", "--hosts", missing, "--process", "0"];
    for (arguments, said) in [(&["explore", endless][..], "64 MiB"), (&hosts[..], "hosts")] {
        let ran = apmatrix(arguments);
        assert_eq!(ran.status, 4, "{arguments:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(said), "{}", ran.err);
    }
}

/// Ten scenarios: the first takes longest, so that others are done before it; one is not as its author expects.
const TEN: [&str; 10] = [
    "held-removal-against-unassign",
    "fault-against-reset",
    "two-stops",
    "create-against-assign",
    "override-against-guest",
    "bind-against-mask",
    "unbind-against-scan",
    "queue-reset-against-guest",
    "default-domain-against-aqmask",
    "override-against-bind",
];

/// A report without times and memory.
fn steady(text: &str) -> String {
    let line = |line: &str| {
        // What all took together stands at the end of the sum.
        let line =
            if line.contains(" scenarios: ") { line.split("; ").next().unwrap_or_default() } else { line };
        let mut words: Vec<&str> = line.split(' ').collect();
        for at in 1..words.len() {
            let unit = words[at].trim_end_matches([',', ';']);
            if matches!(unit, "s" | "MiB") {
                words[at - 1] = "…";
            }
        }
        words.join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_report_on_several_scenarios_is_the_same_whatever_the_number_of_jobs() {
    assert_eq!(
        steady("a  16 states, 0.1 s\n2 scenarios: 2 clean; 3.1 s"),
        "a  16 states, … s\n2 scenarios: 2 clean"
    );
    let scenarios = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");
    let directory = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::symlink(format!("{scenarios}/machines"), directory.path().join("machines"))
        .expect("a link");
    let mut files = Vec::new();
    for name in TEN {
        let text = fs::read_to_string(format!("{scenarios}/{name}.toml")).expect("a scenario");
        let text = if name == "override-against-guest" {
            text.replace("admin = \"ok\"", "admin = \"EBUSY\"")
        } else {
            text
        };
        files.push(format!("{name}.toml"));
        fs::write(directory.path().join(&files[files.len() - 1]), text).expect("a file");
    }
    let report = |jobs: &str, json: bool| {
        let mut arguments = vec!["explore", "--jobs", jobs];
        arguments.extend(json.then_some("--json"));
        arguments.extend(files.iter().map(String::as_str));
        let ran = apmatrix_in(directory.path(), &arguments);
        assert_eq!(ran.status, 1, "one is not as expected: {}", ran.err);
        ran.out
    };
    let texts = ["1", "2", "4"].map(|jobs| steady(&report(jobs, false)));
    let places: Vec<Option<usize>> = TEN.iter().map(|name| texts[0].find(&format!("{name}.toml"))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "in their order: {}", texts[0]);
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], texts[2]);
    let documents = ["1", "2", "4"].map(|jobs| {
        let mut document: Value = serde_json::from_str(&report(jobs, true)).expect("a document");
        for scenario in document["scenarios"].as_array_mut().expect("a list") {
            scenario.as_object_mut().expect("an object").remove("seconds").expect("it is said");
        }
        document.as_object_mut().expect("an object").remove("memory_bytes");
        document
    });
    assert_eq!(documents[0]["scenarios"].as_array().map(Vec::len), Some(10));
    assert_eq!(documents[0], documents[1]);
    assert_eq!(documents[0], documents[2]);
}
