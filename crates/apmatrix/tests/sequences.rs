//! `apmatrix explore --sequences` that is killed, and by several processes; and the job files of the guide.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use killed::{kill, wait_for};
use yaml_rust2::{Yaml, YamlLoader};

mod killed;

fn apmatrix(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apmatrix"));
    command.args(["explore", "--sequences", "--json"]).args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a search prints, but for how long it took and how much memory.
fn told(output: &Output) -> serde_json::Value {
    killed::told(output, &["seconds", "transitions_per_second", "memory_bytes"])
}

/// So many ports in a row that nobody uses.
fn ports(count: u16) -> u16 {
    loop {
        let first =
            TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it has one").port();
        let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if first.checked_add(count).is_some() && (first..first + count).all(free) {
            return first;
        }
    }
}

fn hosts(folder: &Path, count: u16) -> PathBuf {
    let first = ports(count);
    let lines: String = (first..first + count).map(|port| format!("127.0.0.1:{port}\n")).collect();
    let file = folder.join("hosts");
    fs::write(&file, lines).expect("it is written");
    file
}

#[test]
fn a_search_that_is_killed_goes_on_from_its_last_level() {
    let folder = tempfile::tempdir().expect("a folder");
    let levels = folder.path().join("levels");
    let kept = levels.to_str().expect("text");
    let common = ["--alphabet", "core", "--depth", "8", "--workers", "2"];
    let whole = told(&apmatrix(&common).output().expect("it runs"));

    let search = [common.as_slice(), &["--checkpoint", kept]].concat();
    let mut child = apmatrix(&search).spawn().expect("it runs");
    wait_for(&levels.join("level-4/tally-0"), &mut child);
    kill(child);
    let file = levels.join("level-4/worker-1-of-2.states");
    let before = fs::metadata(&file).expect("it is kept").ino();

    let again = told(&apmatrix(&search).output().expect("it runs"));
    assert_eq!(again, whole);
    assert_eq!(fs::metadata(&file).expect("it is kept").ino(), before, "the level was not explored again");
    let other_workers = [&search[..4], &["--workers", "3", "--checkpoint", kept]].concat();
    assert_eq!(
        told(&apmatrix(&other_workers).output().expect("it runs")),
        whole,
        "nothing is left to be done"
    );
}

#[test]
fn another_number_of_workers_goes_on_from_all_their_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = folder.path().join("levels");
    let kept = kept.to_str().expect("text");
    for (depth, workers) in [("3", "2"), ("5", "3"), ("6", "1")] {
        let search = ["--alphabet", "core", "--depth", depth, "--workers", workers];
        let whole = told(&apmatrix(&search).output().expect("it runs"));
        let search = [search.as_slice(), &["--checkpoint", kept]].concat();
        assert_eq!(told(&apmatrix(&search).output().expect("it runs")), whole, "{workers} workers");
    }
}

#[test]
fn a_process_that_is_killed_ends_the_others_and_all_go_on_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = hosts(folder.path(), 2);
    let levels = folder.path().join("levels");
    let (file, kept) = (file.to_str().expect("text"), levels.to_str().expect("text"));
    let common = ["--alphabet", "core", "--depth", "8", "--workers", "1"];
    let whole = told(&apmatrix(&common).output().expect("it runs"));
    let start = |process| {
        let own = ["--hosts", file, "--process", process, "--checkpoint", kept];
        apmatrix(&[common.as_slice(), &own].concat()).spawn().expect("it runs")
    };

    let (zero, mut one) = (start("0"), start("1"));
    wait_for(&levels.join("level-4/tally-1"), &mut one);
    kill(one);
    let ended = zero.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(3), "{text}");
    assert!(text.contains("process 1 is gone") && text.contains("start all processes again"), "{text}");
    assert!(!text.contains("panicked"), "{text}");

    let (zero, one) = (start("0"), start("1"));
    let (zero, one) = (zero.wait_with_output().expect("it ends"), one.wait_with_output().expect("it ends"));
    assert_eq!(told(&zero), whole);
    assert_eq!((one.status.code(), one.stdout.len()), (Some(0), 0), "process 0 has the report");
    let text = String::from_utf8_lossy(&one.stderr);
    assert!(text.contains("process 1 is done, verdict: clean; process 0 has the report"), "{text}");
}

/// A script that starts one process sees whom it waits for, though there is no terminal.
#[test]
fn a_process_that_is_alone_says_whom_it_waits_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = hosts(folder.path(), 2);
    let other = fs::read_to_string(&file).expect("it is there").lines().nth(1).expect("a line").to_owned();
    let mut alone = apmatrix(&["--depth", "2", "--hosts", file.to_str().expect("text"), "--process", "0"])
        .spawn()
        .expect("it runs");
    let mut said = String::new();
    let stderr = alone.stderr.take().expect("it is read");
    let read = std::io::BufRead::read_line(&mut std::io::BufReader::new(stderr), &mut said);
    kill(alone);
    read.expect("it can be read");
    assert_eq!(said.trim_end(), format!("waiting for the process at {other}"));
}

/// What is not proved is a status of its own, whoever has the report.
#[test]
fn processes_that_do_not_say_clean_all_end_with_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = hosts(folder.path(), 2);
    let file = file.to_str().expect("text");
    let start = |process| {
        let words =
            ["--depth", "6", "--budget", "0", "--workers", "1", "--hosts", file, "--process", process];
        apmatrix(&words).spawn().expect("it runs")
    };
    let (zero, one) = (start("0"), start("1"));
    let (zero, one) = (zero.wait_with_output().expect("it ends"), one.wait_with_output().expect("it ends"));
    assert_eq!(told(&zero)["verdict"], "unknown");
    let text = String::from_utf8_lossy(&one.stderr);
    assert!(text.contains("process 1 is done, verdict: unknown; process 0 has the report"), "{text}");
    assert_eq!((zero.status.code(), one.status.code()), (Some(1), Some(1)));
}

#[test]
fn a_foreign_or_torn_checkpoint_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let levels = folder.path().join("levels");
    let kept = levels.to_str().expect("text");
    let run = |words: &[&str]| {
        let output = apmatrix(&[words, &["--workers", "1", "--checkpoint", kept]].concat()).output();
        let output = output.expect("it runs");
        // Lines end where the width does.
        let text = String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(run(&["--depth", "2"]).0, Some(0));
    let (status, text) = run(&["--depth", "2", "--alphabet", "removals"]);
    assert_eq!(status, Some(4), "{text}");
    assert!(text.contains("its alphabet is `core`, and here it is `removals`"), "{text}");
    let (status, text) = run(&["--depth", "2", "--kernel", "7.1"]);
    assert_eq!(status, Some(4), "{text}");
    assert!(text.contains("its kernel is `6.12`, and here it is `7.1`"), "{text}");
    let file = levels.join("level-2/worker-0-of-1.ways");
    let whole = fs::read(&file).expect("it is there");
    fs::write(&file, &whole[..whole.len() - 1]).expect("it is written");
    let (status, text) = run(&["--depth", "3"]);
    assert_eq!(status, Some(4), "{text}");
    assert!(text.contains("worker-0-of-1.ways is torn"), "{text}");
}

fn cluster() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/cluster")
}

/// With stand-ins for what Slurm brings along: two "nodes" on this one.
#[test]
fn the_slurm_script_explores() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = cluster().join("slurm.sbatch");
    let checked = Command::new("bash").arg("-n").arg(&script).status().expect("there is a bash");
    assert!(checked.success(), "bash reads it");
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).expect("it is made");
    let tools = [
        ("scontrol", "#!/bin/sh\n[ \"$*\" = \"show hostnames two\" ] && printf 'localhost\\nlocalhost\\n'\n"),
        ("srun", "#!/bin/sh\nshift\nSLURM_PROCID=1 \"$@\" & SLURM_PROCID=0 \"$@\" && wait $!\n"),
    ];
    for (name, text) in tools {
        fs::write(bin.join(name), text).expect("it is written");
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).expect("it may run");
    }
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_apmatrix"), bin.join("apmatrix")).expect("a link");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("there is one"));
    let ran = Command::new("bash")
        .arg(&script)
        .current_dir(folder.path())
        .env("PATH", path)
        .envs([("SLURM_JOB_ID", "7"), ("SLURM_JOB_NODELIST", "two"), ("SLURM_CPUS_PER_TASK", "1")])
        .envs([("ALPHABET", "core"), ("DEPTH", "3")])
        .env("PORT", ports(2).to_string())
        .output()
        .expect("it runs");
    let (out, errors) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}{errors}");
    assert!(
        out.contains("every sequence of at most 3 operations") && out.contains("clean; alphabet core"),
        "{out}"
    );
    assert!(folder.path().join("apmatrix-core/level-3/tally-1").exists(), "its levels are kept");
}

#[test]
fn the_kubernetes_job_is_one_and_its_command_is_understood() {
    let text = fs::read_to_string(cluster().join("kubernetes.yaml")).expect("it is there");
    let documents = YamlLoader::load_from_str(&text).expect("it is YAML");
    let of_kind = |kind: &str| -> &Yaml {
        let found = documents.iter().find(|document| document["kind"].as_str() == Some(kind));
        found.unwrap_or_else(|| panic!("there is a {kind}"))
    };
    let job = &of_kind("Job")["spec"];
    let lines = of_kind("ConfigMap")["data"]["hosts"].as_str().expect("a host file").lines().count() as i64;
    assert_eq!(job["completionMode"].as_str(), Some("Indexed"));
    assert_eq!((job["completions"].as_i64(), job["parallelism"].as_i64()), (Some(lines), Some(lines)));
    let pod = &job["template"]["spec"];
    assert_eq!(pod["subdomain"].as_str(), of_kind("Service")["metadata"]["name"].as_str());
    let container = &pod["containers"][0];
    let rule = &job["podFailurePolicy"]["rules"][0]["onExitCodes"];
    assert_eq!(rule["containerName"].as_str(), container["name"].as_str());
    let command = container["args"][0].as_str().expect("a command");
    let command = command.strip_prefix("exec apmatrix explore ").expect("it explores");
    // The command line is read up to an option that there is not, and nothing is explored.
    let command = command.replace("\"$JOB_COMPLETION_INDEX\"", "0");
    let words: Vec<&str> = command.split_whitespace().chain(["--no-such-option"]).collect();
    let output =
        Command::new(env!("CARGO_BIN_EXE_apmatrix")).arg("explore").args(words).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("--no-such-option"), "nothing else is wrong with it: {text}");
}
