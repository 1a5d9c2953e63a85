//! The command line: help, exit statuses, messages.

use std::fs;

use crate::common::{apmatrix, apmatrix_in};
use clap::CommandFactory as _;
use insta::assert_snapshot;

#[test]
fn help_tells_the_commands() {
    assert_snapshot!(apmatrix(&["--help"]).ok(), @r"
    The Linux s390 AP bus and vfio_ap in user space: try it, replay it, explore it

    Usage: apmatrix [OPTIONS] <COMMAND>

    Commands:
      demo         Show the whole story in under ten seconds, without privileges
      run          Run a command with a private /sys that is the machine
      exec         Run a command in a machine that was started by `apmatrix run
                   --name NAME`
      mount        Mount the tree on a directory, in the foreground
      shell        Operate a machine in this process: no FUSE, no privileges,
                   machine time
      view         Look at the matrix in the terminal: whose each queue is, and why;
                   live
      serve        Serve the matrix as a web page: whose each queue is, and why;
                   live
      ls           List cards, queues, drivers and owners, of an emulated or a real
                   host
      hw           Do what the machine's operator does: plug, unplug, configure,
                   break
      guest        Start, stop and watch guests on mediated devices
      events       Show uevents, log lines and AP instructions of a mounted tree
      why          Say why the last write was refused, or why a write would be
      explore      Explore every interleaving of operations that run at the same
                   time
      replay       Replay recorded transcripts and compare
      machine      List, show and check machines
      import       Read a host, real or emulated, and write it down as a machine
                   file
      plan         Plan what brings a host to a desired state
      apply        Bring a host to a desired state, step by step, or take everything
                   back
      confirm      Confirm the last apply: it stays
      revert       Take the last apply back
      recover      End an apply that was interrupted: forward if all its steps are
                   done, else back
      fits         Say whether each mediated device of one host fits another one,
                   and if not, why
      completions  Print a shell's completions
      schema       Print the JSON schema of a document or a file format
      man          Write manual pages, one per command
      help         Print this message or the help of the given subcommand(s)

    Options:
          --color <WHEN>  When to use colours: auto, always, never; NO_COLOR is
                          respected
      -h, --help          Print help
      -V, --version       Print version

    Begin with `apmatrix demo`. `apmatrix help COMMAND` says more about each.

    Exit status: 0 done, nothing wrong; 1 a check failed; 2 usage; 3 the environment
    lacks something; 4 bad input file.
    ");
}

#[test]
fn each_command_has_help_with_an_example() {
    let program = apmatrix::cli::Cli::command();
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        let command = command.get_name();
        let help = apmatrix(&[command, "--help"]).ok();
        assert!(help.contains("Example"), "{command}: {help}");
        assert!(help.contains(&format!("apmatrix {command}")), "{command}: {help}");
    }
}

#[test]
fn wrong_command_lines_are_status_2() {
    assert_snapshot!(apmatrix(&["machin"]).failed(), @r"
    status 2
    error: unrecognized subcommand 'machin'

      tip: a similar subcommand exists: 'machine'

    Usage: apmatrix [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(apmatrix(&["hw", "plugg", "4"]).failed(), @r"
    status 2
    error: invalid value 'plugg' for '<VERB>'
      [possible values: plug, unplug, control, configure, deconfigure, checkstop,
        repair, type, fault, keys, set, modules, advance]

      tip: a similar value exists: 'plug'

    For more information, try '--help'.
    ");
    assert_snapshot!(apmatrix(&["explore", "--list", "--sequences"]).failed(), @r"
    status 2
    error: the argument '--list' cannot be used with '--sequences'

    Usage: apmatrix explore --list [SCENARIO]...

    For more information, try '--help'.
    ");
    for wrong in [&["replay"][..], &["shell", "-c", "ls", "file"], &["mount"], &["completions", "tcsh"]] {
        assert_eq!(apmatrix(wrong).status, 2, "{wrong:?}");
    }
}

#[test]
fn without_a_machine_verbs_are_status_3() {
    assert_snapshot!(apmatrix(&["hw", "--root", "nowhere", "plug", "4"]).failed(), @r"
    status 3
    error: nowhere is not an emulated machine
    hint: run this inside `apmatrix run`, or name a mounted tree: `--root DIR`
    ");
    assert_eq!(apmatrix(&["guest", "--root", "nowhere", "list"]).status, 3);
    assert_eq!(apmatrix(&["events", "--root", "nowhere"]).status, 3);
}

#[test]
fn machines_are_listed_shown_and_checked() {
    assert_snapshot!(apmatrix(&["machine", "list"]).ok(), @r"
    tiny     the smallest machine that shows everything: 2 adapters (1 CEX8P, 1
             CEX7C) × 2 domains = 4 queues
    default  adapters of several kinds: 8 adapters (2 CEX8P, 2 CEX8C, 2 CEX8A, 1
             CEX7C, 1 CEX6A) × 6 domains = 48 queues
    wide     as large as real machines get: 64 adapters (64 CEX8C) × 85 domains =
             5440 queues
    max      as large as the architecture allows: 256 adapters (256 CEX8C) × 256
             domains = 65536 queues
    ");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let document: serde_json::Value =
        serde_json::from_str(&apmatrix(&["machine", "show", "tiny", "--json"]).ok()).expect("a document");
    assert_eq!(document["schema"], "apmatrix.machine/1");
    assert_eq!(document["adapter"].as_array().map(Vec::len), Some(2));
    assert_eq!(document["kernel"], "6.12");
    let tiny = apmatrix(&["machine", "show", "tiny"]).ok();
    fs::write(directory.path().join("mine.toml"), &tiny).expect("it can be written");
    assert_snapshot!(apmatrix_in(directory.path(), &["machine", "check", "mine.toml"]).ok(), @"ok: tiny: 2 adapters (1 CEX8P, 1 CEX7C) × 2 domains = 4 queues");
    assert_snapshot!(apmatrix_in(directory.path(), &["machine", "check", "--json", "mine.toml"]).ok(), @r#"
    {
      "schema": "apmatrix.machine-check/1",
      "file": "mine.toml",
      "ok": true,
      "name": "tiny",
      "adapters": 2,
      "domains": 2,
      "queues": 4
    }
    "#);
    let schema: serde_json::Value =
        serde_json::from_str(&apmatrix(&["machine", "schema"]).ok()).expect("JSON");
    assert_eq!(schema["title"], "apmatrix.machine/1");
}

#[test]
fn wrong_machine_files_are_status_4_and_pointed_into() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let check = |text: &str| {
        fs::write(directory.path().join("m.toml"), text).expect("it can be written");
        apmatrix_in(directory.path(), &["machine", "check", "m.toml"]).failed()
    };
    assert_snapshot!(check("schema = \"apmatrix.machine/1\"\ndomain = [4]\n"), @r#"
    status 4
      × unknown key `domain`
       ╭─[m.toml:2:1]
     1 │ schema = "apmatrix.machine/1"
     2 │ domain = [4]
       · ───┬──
       ·    ╰── expected a known key; did you mean `domains`?
       ╰────
      help: known here: schema, name, kernel, features, facilities, max_adapter,
            max_domain, domains, control_domains, apmask, aqmask, adapter, queue,
            mdev, guest
    "#);
    assert_snapshot!(check("schema = \"apmatrix.machine/1\"\n[[adapter]]\nid = 64\ntype = \"CEX8C\"\n"), @r#"
    status 4
      × impossible adapter 64
       ╭─[m.toml:3:6]
     2 │ [[adapter]]
     3 │ id = 64
       ·      ─┬
       ·       ╰── expected at most 63
     4 │ type = "CEX8C"
       ╰────
      help: raise `max_adapter` (at most 255) or leave it out
    "#);
    assert_snapshot!(check("schema = \"apmatrix.machine/1\"\ndomains = [4, 6\n"), @r#"
    status 4
      × unclosed array
       ╭─[m.toml:2:16]
     1 │ schema = "apmatrix.machine/1"
     2 │ domains = [4, 6
       ·                ▲
       ·                ╰── expected `]`
       ╰────
    "#);
    assert_snapshot!(apmatrix(&["machine", "check", "none.toml"]).failed(), @r"
    status 4
      × none.toml: No such file or directory
      help: expected a machine file or one of tiny, default, wide, max
    ");
    for command in [&["run"][..], &["shell"]] {
        let arguments = [command, &["--machine", "none.toml"]].concat();
        assert_eq!(apmatrix(&arguments).status, 4, "{command:?}");
    }
}

#[test]
fn transcripts_that_cannot_be_read_are_status_4() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let replay = |text: &str| {
        fs::write(directory.path().join("t.jsonl"), text).expect("it can be written");
        apmatrix_in(directory.path(), &["replay", "t.jsonl"]).failed()
    };
    let good = "{\"i\":0,\"op\":\"hw\",\"cmd\":\"apm none\",\"errno\":0}\n";
    assert_snapshot!(replay(&format!("{good}{{\"i\":1,\"op\":\"sing\"}}\n")), @r#"
    status 4
    error: t.jsonl:2: expected a transcript's operation; column 18: unknown variant
      `sing`, expected one of `write`, `awrite`, `aread`, `join`, `read`, `ls`,
      `readlink`, `stat`, `tree`, `hw`, `guest`, `insmod`, `rmmod`, `dump`, `sleep`,
      `note`
    hint: each line of a transcript is an operation in JSON: {"i": 0, "op": "read",
      …}
    "#);
    assert_snapshot!(replay(&format!("{good}{{\"i\":1,\"op\":\"read\",\"errno\":0}}\n")), @r"
    status 4
    error: t.jsonl:2: expected the key `path` in `read`
    ");
    assert_snapshot!(replay(&format!("{good}\n{{\"i\":1,\"op\":\"sleep\",\"ms\":5,\"errn\":0}}\n")), @r#"
    status 4
    error: t.jsonl:3: expected a transcript's operation; column 33: unknown field
      `errn`, expected one of `i`, `op`, `path`, `data`, `errno`, `at`, `ret`,
      `entries`, `mode`, `size`, `cmd`, `uuid`, `guest`, `module`, `params`, `id`,
      `pending`, `ms`, `text`, `bus`, `queues`, `mdevs`, `available_instances`,
      `guests`, `flags`, `num_regions`, `num_irqs`, `irq0`, `irqs`, `count`,
      `noeventfd`, `index2`, `lines`, `dmesg_total`, `uevents`, `dmesg`, `hwlog`
    hint: each line of a transcript is an operation in JSON: {"i": 0, "op": "read",
      …}
    "#);
    assert_snapshot!(replay(good.repeat(2).as_str()), @r"
    status 4
    error: t.jsonl:2: expected an operation from 1 on (`i` ascends), found 0
    ");
    assert_snapshot!(apmatrix(&["replay", "none.jsonl"]).failed(), @r"
    status 4
    error: none.jsonl: No such file or directory
    hint: `ls` lists the files of this directory
    ");
    assert_snapshot!(apmatrix_in(directory.path(), &["replay", "."]).status, @"4");
    fs::write(directory.path().join("x.tar.xz"), "nonsense").expect("it can be written");
    assert_eq!(apmatrix_in(directory.path(), &["replay", "x.tar.xz"]).status, 4);
}

/// Else a job that names the wrong archive would be green.
#[test]
fn an_archive_without_transcripts_is_status_4() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    assert_snapshot!(apmatrix_in(root.as_ref(), &["replay", "ci/sys-tiny.tar.xz"]).failed(), @r"
    status 4
    error: ci/sys-tiny.tar.xz: expected an archive with transcripts (.jsonl) in it
    ");
}

/// On a kernel without overrides every write of one is refused, which an alphabet of them would take for a theft.
#[test]
fn an_alphabet_is_not_explored_on_a_kernel_that_lacks_what_it_uses() {
    let wanted = ["explore", "--sequences", "--alphabet", "overrides", "--depth", "1", "--kernel"];
    assert_snapshot!(apmatrix(&[&wanted[..], &["6.12"]].concat()).failed(), @r"
    status 2
    error: alphabet `overrides` uses driver-override, which Linux 6.12 has not
    hint: leave `--kernel` out (it is explored on Linux 7.1), or name a kernel that
      has it: `apmatrix machine list --kernels`
    ");
    let ran = apmatrix(&[&wanted[..], &["6.19"]].concat());
    assert!(ran.out.starts_with("clean; alphabet overrides on Linux 6.19: "), "{}{}", ran.out, ran.err);
}

#[test]
fn a_bind_state_has_two_bits() {
    let said = apmatrix(&["shell", "--machine", "tiny", "-c", "hw fault 04.0006 bs=4"]).failed();
    assert!(said.contains("0-3"), "{said}");
    assert_eq!(apmatrix(&["shell", "--machine", "tiny", "-c", "hw fault 04.0006 bs=3"]).status, 0);
}

#[test]
fn a_difference_is_status_1() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let text = "{\"i\":0,\"op\":\"hw\",\"cmd\":\"apm none\",\"errno\":0}\n\
                {\"i\":1,\"op\":\"stat\",\"path\":\"/sys/bus/ap\",\"errno\":0,\"mode\":\"040755\",\"size\":0}\n";
    fs::write(directory.path().join("t.jsonl"), text).expect("it can be written");
    let ran = apmatrix_in(directory.path(), &["replay", "t.jsonl"]);
    assert_eq!((ran.status, ran.err.as_str()), (1, ""));
    assert_snapshot!(ran.out, @r#"
    FAIL t:1 stat /sys/bus/ap: expected errno "0" got "ENOENT"
    0 passed, 1 failed
    "#);
    let ran = apmatrix_in(directory.path(), &["replay", "--json", "t.jsonl"]);
    assert_eq!((ran.status, ran.err.as_str()), (1, ""));
    assert_snapshot!(ran.out, @r#"
    {
      "schema": "apmatrix.replay/1",
      "passed": 0,
      "failed": 1,
      "files": [
        {
          "name": "t",
          "ok": false,
          "operations": 2,
          "at": 1,
          "op": "stat",
          "path": "/sys/bus/ap",
          "field": "errno",
          "expected": "0",
          "got": "ENOENT"
        }
      ]
    }
    "#);
}

#[test]
fn completions_and_manual_pages_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(apmatrix(&["completions", shell]).ok().contains("apmatrix"));
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let _ = apmatrix_in(directory.path(), &["man", "man1"]).ok();
    for page in ["apmatrix.1", "apmatrix-run.1", "apmatrix-machine-check.1"] {
        assert!(directory.path().join("man1").join(page).is_file(), "{page}");
    }
}

#[test]
fn what_why_notes_stands_in_its_document() {
    let ran = apmatrix(&["why", "--machine", "tiny", "apmask", "4", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.out).expect("a document");
    let note = document["note"].as_str().unwrap_or_default();
    assert!(note.contains("4 is the left end of a mask"), "{document}");
}
