use super::*;

const HEAD: &str = "schema = \"apmatrix.scenario/1\"\nmachine = \"tiny\"\n";

fn parsed(rest: &str) -> Result<ScenarioFile, FileError> {
    ScenarioFile::parse(Path::new("some/where.toml"), &format!("{HEAD}{rest}"))
}

/// The error of a scenario file: line, message, what was expected there.
fn error(rest: &str) -> (usize, String, String) {
    let error = parsed(rest).expect_err("it is wrong");
    (error.line().expect("it has a place"), error.to_string(), error.expected().to_owned())
}

const TASKS: &str = "setup = \"\"\"\ntrue\n  false\n\"\"\"\n\
     [[task]]\nname = \"a\"\nrun = '''\n\n echo 1\n'''\n\
     [[task]]\nname = \"b\"\nrun = \"true\"\n";

#[test]
fn a_scenario_says_what_plays_where_and_what_is_expected() {
    let text = format!(
        "title = \"t\"\n{TASKS}[expect]\nverdict = \"clean\"\noutcomes = [{{ a = \"ok\", b = \"EBUSY\" }}]"
    );
    let scenario = parsed(&text).expect("it is right");
    assert_eq!((scenario.title.as_str(), scenario.machine.name.as_str()), ("t", "tiny"));
    assert_eq!(scenario.setup.text, "true\n  false\n");
    let tasks: Vec<_> =
        scenario.tasks.iter().map(|task| (task.name.as_str(), task.run.text.as_str())).collect();
    assert_eq!(tasks, [("a", "\n echo 1\n"), ("b", "true")]);
    assert_eq!(scenario.expect.verdict.as_deref(), Some("clean"));
    let results = [("a", "ok"), ("b", "EBUSY")].map(|(task, result)| (task.to_owned(), result.to_owned()));
    assert_eq!(scenario.expect.outcomes, Some([Results::from(results)].into()));
    let plain = parsed(TASKS).expect("it is right");
    assert_eq!((plain.title.as_str(), plain.expect), ("where", Expect::default()));
}

#[test]
fn errors_of_those_who_run_it_point_to_the_place() {
    let scenario = parsed(TASKS).expect("it is right");
    let line = |place| scenario.wrong(place, "what", "expected").line();
    assert_eq!(line(Place::Setup(1)), Some(4));
    assert_eq!(line(Place::Setup(2)), Some(5));
    assert_eq!(line(Place::Setup(9)), Some(6), "the last line there is");
    assert_eq!(line(Place::Head(0)), Some(7));
    assert_eq!(line(Place::Name(0)), Some(8));
    assert_eq!(line(Place::Task(0)), Some(9));
    assert_eq!(line(Place::Run(0, 2)), Some(11));
    assert_eq!(line(Place::Run(1, 1)), Some(15));
    let error = scenario.wrong(Place::Run(0, 2), "what", "expected");
    assert_eq!(
        (error.to_string(), error.expected(), error.file()),
        ("what".into(), "expected", "some/where.toml")
    );
}

#[test]
fn a_line_of_a_script_is_pointed_to_as_a_whole_and_alone() {
    let source = "run = '''\n  one\n two\nthree'''\nname = 1\n";
    let end = source.rfind("'''").expect("its end") + 3;
    let script = super::model::Script::new("", 6..end, source);
    let lines: Vec<&str> = (1..=4).map(|line| &source[script.line(source, line)]).collect();
    assert_eq!(lines, ["one", "two", "three'''", "three'''"]);
}

#[test]
fn mistakes_have_their_line() {
    let task = |name: &str| format!("[[task]]\nname = \"{name}\"\nrun = \"true\"\n");
    assert_eq!(error("").1, "the scenario has no task");
    assert_eq!(
        error(&task("a b")),
        (4, "`a b` is no task's name".into(), "expected a word without blanks".into())
    );
    assert_eq!(error(&(task("a") + &task("a"))).0, 7);
    assert_eq!(error("tsk = 1").2, "expected a known key; did you mean `task`?");
    assert_eq!(error(&(task("a") + "[expect]\nverdict = \"claen\"")).1, "`claen` is no verdict");
    let outcome = |text: &str| error(&format!("{}[expect]\noutcomes = [{{ {text} }}]", task("one")));
    assert_eq!(outcome("on = \"ok\"").2, "expected a task's name; the nearest is `one`");
    assert_eq!(outcome("one = \"EBUSSY\"").1, "`EBUSSY` is no result");
    assert_eq!(outcome("").1, "the outcome says nothing of task `one`");
    let machine = |name: &str| {
        let text = HEAD.replace("tiny", name) + &task("a");
        ScenarioFile::parse(Path::new("s.toml"), &text).expect_err("it is wrong")
    };
    assert_eq!(machine("tinny").hint(), Some("did you mean `tiny`?"));
    assert_eq!(machine("none.toml").hint(), Some("none.toml does not exist"));
}

#[test]
fn the_schema_names_the_keys() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).expect("JSON");
    assert_eq!(schema["title"], SCHEMA);
    for key in ["schema", "title", "machine", "setup", "task", "expect"] {
        assert!(schema["properties"][key].is_object(), "{key}");
    }
}
