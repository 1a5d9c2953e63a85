//! `apmatrix import`, `plan`, `apply` and what goes with them, on trees of files and on machines.

use std::fs;
use std::path::Path;

use crate::common::{apmatrix, apmatrix_in, one_line};
use crate::ls;
use insta::assert_snapshot;

const HEAD: &str = "schema = \"apmatrix.desired/1\"\n";
const UUID: &str = "62177883-f1bb-47f0-914d-32a22e3a8804";

fn wish(at: &Path, text: &str) {
    fs::write(at.join("want.toml"), format!("{HEAD}{text}")).expect("a file");
}

#[test]
fn a_host_without_ap_is_one_sentence_and_status_3() {
    let directory = tempfile::tempdir().expect("a directory");
    wish(directory.path(), "");
    fs::create_dir(directory.path().join("sys")).expect("a directory");
    for arguments in [
        &["import", "--root", "sys"][..],
        &["plan", "want.toml", "--root", "sys"],
        &["apply", "want.toml", "--root", "sys", "--run-dir", "run"],
        &["fits", "tiny", "--root", "sys"],
    ] {
        let ran = apmatrix_in(directory.path(), arguments);
        assert_eq!(ran.status, 3, "{arguments:?}: {}", ran.err);
        assert!(ran.err.starts_with("error: there is no AP bus at sys/bus/ap\n"), "{}", ran.err);
    }
    assert!(!directory.path().join("run").exists(), "nothing was written");
}

#[test]
fn who_may_not_write_is_told_what_would_be_written() {
    let tree = ls::tree();
    wish(tree.path(), "[host]\napmask = \"+12\"\n");
    // Nobody makes directories in /sys, whoever he is.
    let ran = apmatrix_in(tree.path(), &["apply", "want.toml", "--root", "sys", "--run-dir", "/sys/none"]);
    assert_eq!(ran.status, 3, "{}", ran.err);
    assert!(ran.err.starts_with("error: nothing was written: "), "{}", ran.err);
    assert!(ran.err.contains("hint: it would write: +12 > bus/ap/apmask\nhint: be root\n"), "{}", ran.err);
}

#[test]
fn a_tree_of_files_is_imported() {
    let tree = ls::tree();
    let ran = apmatrix_in(tree.path(), &["import", "--root", "sys"]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert_snapshot!(ran.err, @"note: queue 0c.0047 is bound to no driver, which a machine file does not say");
    assert_snapshot!(ran.out, @r#"
    schema = "apmatrix.machine/1"
    name = "m"
    domains = [6, 71]
    apmask = "0xffc7ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

    [[adapter]]
    id = 4
    type = "CEX8P"

    [[adapter]]
    ids = ["10-12"]
    type = "CEX7C"

    [[queue]]
    apqn = "04.0047"
    state = "deconfigured"

    [[mdev]]
    uuid = "a0000000-0000-4000-8000-000000000001"
    adapters = [10]
    domains = [6, 71]
    control_domains = []

    [[mdev]]
    uuid = "a0000001-0000-4000-8000-000000000002"
    adapters = [11]
    domains = [6]
    control_domains = []

    [[guest]]
    name = "g1"
    mdev = "a0000000-0000-4000-8000-000000000001"
    "#);
    // The same from archives, compressed or not, with a directory around it, and zeros as tar pads them.
    let plain = ran.out.replace("name = \"m\"", "name = \"imported\"");
    for (name, packed) in [("sys.tar", None), ("sys.tgz", Some("gz"))] {
        archive(tree.path(), name, packed);
        let ran = apmatrix_in(tree.path(), &["import", "--archive", name]);
        assert_eq!((ran.status, ran.out.as_str()), (0, plain.as_str()), "{name}: {}", ran.err);
    }
    fs::write(tree.path().join("no.tar"), "no archive").expect("a file");
    let ran = apmatrix_in(tree.path(), &["import", "--archive", "no.tar"]);
    assert_eq!(ran.status, 4, "{}", ran.err);
}

/// Packs `sys` as collectors do.
fn archive(at: &Path, name: &str, packed: Option<&str>) {
    let file = fs::File::create(at.join(name)).expect("a file");
    let sink: Box<dyn std::io::Write> = match packed {
        Some(_) => Box::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast())),
        None => Box::new(file),
    };
    let mut builder = tar::Builder::new(sink);
    builder.follow_symlinks(false);
    add(&mut builder, &at.join("sys"), Path::new("host-2026/sys"));
    builder.finish().expect("an archive");
}

fn add(builder: &mut tar::Builder<Box<dyn std::io::Write>>, from: &Path, to: &Path) {
    let metadata = fs::symlink_metadata(from).expect("it is there");
    if metadata.is_dir() {
        builder.append_dir(to, from).expect("a directory");
        for entry in fs::read_dir(from).expect("a directory") {
            let entry = entry.expect("an entry");
            add(builder, &entry.path(), &to.join(entry.file_name()));
        }
    } else if metadata.is_symlink() {
        builder.append_path_with_name(from, to).expect("a link");
    } else {
        let mut text = fs::read(from).expect("a file");
        text.resize(text.len().max(4096), 0);
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, to, text.as_slice()).expect("a file");
    }
}

#[test]
fn a_plan_says_steps_queues_and_promises() {
    let directory = tempfile::tempdir().expect("a directory");
    wish(
        directory.path(),
        &format!(
            "[host]\napmask = \"-4\"\n[[mdev]]\nuuid = \"{UUID}\"\nadapters = 4\ndomains = 6\ncontrol_domains = 6\n"
        ),
    );
    let ran = apmatrix_in(directory.path(), &["plan", "want.toml", "--machine", "tiny"]);
    assert_snapshot!(ran.ok(), @r"
      1  mdev 62177883-f1bb-47f0-914d-32a22e3a8804 is made
         62177883-f1bb-47f0-914d-32a22e3a8804 >
           devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create
      2  the host gives up adapter 4 (2 queues)
         -4 > bus/ap/apmask
      3  mdev 62177883-f1bb-47f0-914d-32a22e3a8804 takes adapter 4, takes domain 6,
        changes its control domains
         0x08,0x02,0x02 >
           devices/vfio_ap/matrix/62177883-f1bb-47f0-914d-32a22e3a8804/ap_config

    queues
         04.0006: host → mdev 62177883-f1bb-47f0-914d-32a22e3a8804
         04.0047: host → free

    promised, and checked on the host's twin
      1  no step is refused by a host that is as it was read
         3 steps run on the host's twin, the state compared after each
      2  a queue that goes to an mdev is never the host's on the way, and none is
        nobody's longer than needed
         queues that come to mdevs (1) followed event by event; queues without an
           owner, summed over the steps: 1, and no two steps next to each other
           could be exchanged for fewer
      3  a running guest loses a queue only if that is wanted and allowed; it has
        those that it keeps all the time
         every APCB of the running guests (0) compared
      4  whoever changes owner is reset in between
         resets of the queues that change hands (2) followed event by event
      5  fewest writes
         3 writes; 3 there have to be in any case; searched, cheapest first
      6  every prefix can be taken back
         all 3 steps taken back on the twin, the state compared after each; what a
           failed reset takes from a guest meanwhile no write brings back: a revert
           names it
    ");
}

#[test]
fn there_is_no_plan_and_who_is_in_the_way() {
    let tree = ls::tree();
    wish(tree.path(), &format!("[[mdev]]\nuuid = \"{UUID}\"\nadapters = 10\ndomains = 6\n"));
    let ran = apmatrix_in(tree.path(), &["plan", "want.toml", "--root", "sys"]);
    assert_snapshot!(ran.failed(), @r"
    status 1
    error: there is no plan: mdev 62177883-f1bb-47f0-914d-32a22e3a8804 is to have
      queue 0a.0006, which mdev a0000000-0000-4000-8000-000000000001 has and guest
      g1 holds; it is not listed and stays as it is
    hint: list mdev a0000000-0000-4000-8000-000000000001 without domain 6, with
      --allow unplug=g1 or after you stop guest g1
    ");
    let ran = apmatrix_in(tree.path(), &["plan", "want.toml", "--root", "sys", "--check"]);
    assert_eq!(ran.status, 1, "{}", ran.err);
}

#[test]
fn a_check_tells_whether_there_is_something_to_do() {
    let tree = ls::tree();
    wish(tree.path(), "");
    assert_eq!(apmatrix_in(tree.path(), &["plan", "want.toml", "--root", "sys", "--check"]).status, 0);
    wish(tree.path(), "[host]\napmask = \"-4\"\n");
    assert_eq!(apmatrix_in(tree.path(), &["plan", "want.toml", "--root", "sys", "--check"]).status, 1);
}

#[test]
fn a_stale_or_edited_plan_is_refused() {
    let tree = ls::tree();
    let at = tree.path();
    wish(at, "[host]\napmask = \"-4\"\n");
    assert_eq!(apmatrix_in(at, &["plan", "want.toml", "--root", "sys", "-o", "plan.json"]).status, 0);
    let apply = ["apply", "plan.json", "--root", "sys", "--run-dir", "run"];
    let text = fs::read_to_string(at.join("plan.json")).expect("a plan");
    fs::write(at.join("plan.json"), text.replace("\"-4\"", "\"-4,-5\"")).expect("a file");
    let ran = apmatrix_in(at, &apply);
    assert_eq!(ran.status, 4, "{}", ran.err);
    assert!(one_line(&ran.err).contains("these are not the steps that lead to what it wants"), "{}", ran.err);
    fs::write(at.join("plan.json"), &text).expect("a file");
    let mask = fs::read_to_string(at.join("sys/bus/ap/aqmask")).expect("a mask");
    fs::write(at.join("sys/bus/ap/aqmask"), mask.replacen("0xf", "0xe", 1)).expect("a mask");
    let ran = apmatrix_in(at, &apply);
    assert_eq!(ran.status, 1, "{}", ran.err);
    assert!(
        one_line(&ran.err)
            .starts_with("error: plan.json is stale: the host is not as it was hint: aqmask: lost domain"),
        "{}",
        ran.err
    );
    fs::write(at.join("plan.json"), "{\"schema\": \"apmatrix.plan/1\"}").expect("a file");
    let ran = apmatrix_in(at, &apply);
    assert_eq!(ran.status, 4, "{}", ran.err);

    // A plan of another version could mean something else by the same words.
    fs::write(at.join("plan.json"), text.replace("apmatrix.plan/1", "apmatrix.plan/2")).expect("a file");
    let ran = apmatrix_in(at, &apply);
    assert_eq!(ran.status, 4, "{}", ran.err);
    assert!(one_line(&ran.err).contains("unknown schema `apmatrix.plan/2`"), "{}", ran.err);
}

#[test]
fn what_is_allowed_beside_a_plan_is_said_to_change_nothing() {
    let tree = ls::tree();
    let at = tree.path();
    wish(at, "[host]\napmask = \"-4\"\n");
    assert_eq!(apmatrix_in(at, &["plan", "want.toml", "--root", "sys", "-o", "plan.json"]).status, 0);
    let apply = ["apply", "plan.json", "--root", "sys", "--run-dir", "run"];
    let said = "note: `--allow` changes nothing here: a plan allows what it was made with";
    let ran = apmatrix_in(at, &[apply.as_slice(), &["--allow", "unplug"]].concat());
    assert!(one_line(&ran.err).starts_with(said), "{}", ran.err);
    assert!(!apmatrix_in(at, &apply).err.contains("--allow"));
}

#[test]
fn what_is_otherwise_than_on_the_twin_is_taken_back() {
    // A tree of files: what is written to apmask is what it says then, which is no mask.
    let tree = ls::tree();
    wish(tree.path(), "[host]\napmask = \"-4\"\n");
    let ran = apmatrix_in(tree.path(), &["apply", "want.toml", "--root", "sys", "--run-dir", "run"]);
    assert_eq!(ran.status, 1, "{}", ran.err);
    assert!(one_line(&ran.err).contains("taking everything back: step 1 of 1"), "{}", ran.err);
    let journals = fs::read_dir(tree.path().join("run/apmatrix")).expect("a directory");
    let journals: Vec<_> = journals.map(|entry| entry.expect("an entry").path().join("journal")).collect();
    assert_eq!(journals.len(), 1, "{journals:?}");
    let journal = fs::read_to_string(&journals[0]).expect("there is a journal");
    // Nor can it be taken back: what the tree says is no mask.
    assert!(journal.ends_with("{\"undoing\":0}\n"), "{journal}");
    assert!(!tree.path().join("run/lock/s390apconfig.lock").exists(), "the lock is given up");
}

#[test]
fn fits_says_why_not() {
    let tree = ls::tree();
    let ran = apmatrix_in(tree.path(), &["fits", "sys", "default"]);
    assert_eq!(ran.status, 1, "{}", ran.err);
    assert_snapshot!(ran.out, @r"
    a0000000-0000-4000-8000-000000000001  does not fit
        adapter 10 is not there
        queues 0a.0006, 0a.0047 are reserved for the host there, by apmask and
          aqmask
    a0000001-0000-4000-8000-000000000002  does not fit
        adapter 11 is not there
        queue 0b.0006 is reserved for the host there, by apmask and aqmask
    ");
    let ran = apmatrix(&["fits", "tiny", "default"]);
    assert_snapshot!(ran.ok(), @"there are no mdevs");
}

#[test]
fn there_is_nothing_to_confirm_revert_or_recover() {
    let tree = ls::tree();
    let on = |command: &str| apmatrix_in(tree.path(), &[command, "--root", "sys", "--run-dir", "run"]);
    assert_snapshot!(on("confirm").failed(), @r"
    status 1
    error: there is no apply to confirm: there is no directory run, where it would
      be written down
    hint: name the one that `apmatrix apply --run-dir` was given, or leave it out
    ");
    assert_snapshot!(on("revert").failed(), @r"
    status 1
    error: there is no apply to revert: there is no directory run, where it would be
      written down
    hint: name the one that `apmatrix apply --run-dir` was given, or leave it out
    ");
    assert_snapshot!(on("recover").failed(), @r"
    status 1
    error: there is no apply to recover: there is no directory run, where it would
      be written down
    hint: name the one that `apmatrix apply --run-dir` was given, or leave it out
    ");
    assert!(!tree.path().join("run").exists(), "a mistyped directory is not made");
    fs::create_dir(tree.path().join("run")).expect("a directory");
    assert_snapshot!(on("recover").ok(), @"nothing to do");
}

#[test]
fn a_name_that_nobody_has_is_noted_and_a_word_that_allows_nothing_refused() {
    let tree = ls::tree();
    let at = tree.path();
    wish(at, "[host]\napmask = \"-4,-10,-11,-12\"\n");
    let ran = apmatrix_in(at, &["plan", "want.toml", "--root", "sys", "--allow", "unplug=prd"]);
    let note = "note: --allow unplug=prd: no guest that runs is called so";
    assert!(ran.err.replace("\n  ", " ").contains(note), "{}", ran.err);
    for word in ["plug", "unplug="] {
        let ran = apmatrix_in(at, &["plan", "want.toml", "--root", "sys", "--allow", word]);
        assert_eq!(ran.status, 2, "{}", ran.err);
        assert!(ran.err.contains("unplug=NAME"), "{}", ran.err);
    }
}

/// What tells an emulated host from a real one is gone.
fn as_a_real_host(at: &std::path::Path) {
    fs::remove_dir_all(at.join("sys/kernel/debug/apmatrix")).expect("it was there");
}

/// `apply --boot`, with programs of that path.
fn applied_for_boot(at: &std::path::Path, path: impl AsRef<std::ffi::OsStr>) -> std::process::Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_apmatrix"));
    command.env_clear().env("PATH", path).current_dir(at);
    command.args(["apply", "want.toml", "--root", "sys", "--run-dir", "run", "--boot", "--etc-dir", "etc"]);
    command.output().expect("it runs")
}

/// In a run `/etc` and systemd are this machine's own: a rehearsal enabled a unit for its next boot.
#[test]
fn nothing_of_an_emulated_host_is_kept_for_the_next_boot_of_this_one() {
    let tree = ls::tree();
    let at = tree.path();
    fs::create_dir_all(at.join("sys/kernel/debug/apmatrix")).expect("a directory");
    wish(at, "[host]\napmask = \"-4,-10,-11,-12\"\n");
    let ran = apmatrix_in(at, &["apply", "want.toml", "--root", "sys", "--run-dir", "run", "--boot"]);
    assert_snapshot!(ran.failed(), @r"
    status 2
    error: `--boot` is for a real host: this one is emulated, and what would be kept
      is for the next boot of this machine
    hint: leave `--boot` out; `--etc-dir DIR` writes there what would be written to
      /etc, and runs nothing
    ");
    assert!(!at.join("run").exists(), "nothing was done");
    // In a directory of one's own it is written down, and no program is told.
    wish(
        at,
        "[[mdev]]\nuuid = \"a0000001-0000-4000-8000-000000000002\"\nadapters = 11\ndomains = 6\n\
         control_domains = []\nboot = \"auto\"\n",
    );
    let ran = applied_for_boot(at, at.join("none"));
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    for line in [
        "not run: mdevctl define --uuid a0000001-0000-4000-8000-000000000002 --parent matrix",
        "etc/apmatrix/desired.toml: written",
        "not run: systemctl daemon-reload",
        "not run: systemctl enable apmatrix-apply.service",
        "the next boot applies etc/apmatrix/desired.toml, whatever is reverted until then",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

/// After a boot `-10` was taken from other masks than now, and no mdev was made.
#[test]
fn what_is_kept_for_the_next_boot_says_whole_masks() {
    let tree = ls::tree();
    let at = tree.path();
    as_a_real_host(at);
    let arguments = ["apply", "want.toml", "--root", "sys", "--run-dir", "run", "--boot", "--etc-dir", "etc"];
    wish(at, "[host]\napmask = \"-4\"\naqmask = \"all\"\n");
    let ran = apmatrix_in(at, &arguments);
    let said = ran.err.replace("\n  ", " ");
    assert_eq!(ran.status, 2, "{said}");
    assert!(said.contains("`--boot` needs whole masks: apmask says what changes"), "{said}");
    assert!(said.contains("hint: write `apmask = \"all but"), "{said}");
    assert!(!at.join("etc").exists() && !at.join("run").exists(), "nothing was done");
}

/// An apply changed the running mdev, and `mdevctl start` brought the old matrix back without a word.
#[test]
fn a_definition_of_mdevctl_that_says_otherwise_is_noted() {
    let tree = ls::tree();
    let at = tree.path();
    let uuid = "a0000001-0000-4000-8000-000000000002";
    wish(at, &format!("[[mdev]]\nuuid = \"{uuid}\"\nadapters = 11\ndomains = 6\ncontrol_domains = []\n"));
    let defined = at.join("etc/mdevctl.d/matrix");
    fs::create_dir_all(&defined).expect("a directory");
    let noted = |adapter: u8| {
        let attributes = format!("[{{\"assign_adapter\":\"{adapter}\"}},{{\"assign_domain\":\"0x6\"}}]");
        let text =
            format!("{{\"mdev_type\":\"vfio_ap-passthrough\",\"start\":\"auto\",\"attrs\":{attributes}}}");
        fs::write(defined.join(uuid), text).expect("a definition");
        let arguments = ["apply", "want.toml", "--root", "sys", "--run-dir", "run", "--etc-dir", "etc"];
        apmatrix_in(at, &arguments).err.replace("\n  ", " ")
    };
    let said = noted(5);
    let expected = format!(
        "note: mdev {uuid}: mdevctl has it defined with adapter 5, domain 6, and its next start brings that"
    );
    assert!(said.contains(&expected), "{said}");
    assert!(!noted(11).contains("mdevctl"));
}

/// It was written and applied, and only then found that there is nothing that would read it at the next boot.
#[test]
fn without_systemd_nothing_is_applied_for_the_next_boot() {
    let tree = ls::tree();
    let at = tree.path();
    as_a_real_host(at);
    fs::create_dir(at.join("bin")).expect("a directory");
    wish(at, "[host]\napmask = \"all but 4, 10-12\"\n");
    let before = fs::read_to_string(at.join("sys/bus/ap/apmask")).expect("a mask");
    let ran = applied_for_boot(at, at.join("bin"));
    let said = String::from_utf8_lossy(&ran.stderr).replace("\n  ", " ");
    assert!(!ran.status.success(), "{said}");
    assert!(said.contains("`--boot` needs systemd") && said.contains("nothing was written"), "{said}");
    assert_eq!(fs::read_to_string(at.join("sys/bus/ap/apmask")).expect("a mask"), before);
    assert!(!at.join("run").exists() && !at.join("etc").exists(), "nothing was done");
}

#[test]
fn a_definition_that_is_refused_leaves_the_old_one() {
    use std::os::unix::fs::PermissionsExt as _;
    let tree = ls::tree();
    let at = tree.path();
    as_a_real_host(at);
    fs::create_dir(at.join("bin")).expect("a directory");
    // It knows one definition, and refuses those that name adapter 11.
    let mdevctl = "#!/bin/sh\ncase $1 in list) cat defined;; undefine) rm defined;; \
                   define) cat > new; grep -q 11 new && { echo no >&2; exit 1; }; mv new defined;; esac\n";
    let old = "[{\"matrix\":[{\"a0000001-0000-4000-8000-000000000002\":{\"attrs\":[{\"assign_adapter\":\"5\"}],\
               \"mdev_type\":\"vfio_ap-passthrough\",\"start\":\"manual\"}}]}]\n";
    fs::write(at.join("defined"), old).expect("a file");
    for (program, text) in [("mdevctl", mdevctl), ("systemctl", "#!/bin/sh\n")] {
        let path = at.join("bin").join(program);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }
    wish(
        at,
        "[[mdev]]\nuuid = \"a0000001-0000-4000-8000-000000000002\"\nadapters = 11\ndomains = 6\n\
         control_domains = []\nboot = \"auto\"\n",
    );
    let ran = applied_for_boot(at, format!("{}:/usr/bin:/bin", at.join("bin").display()));
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(!ran.status.success(), "{said}");
    assert!(said.contains("mdev a0000001-0000-4000-8000-000000000002 is defined as it was before"), "{said}");
    let defined = fs::read_to_string(at.join("defined")).expect("it is still defined");
    assert_eq!(
        defined,
        r#"{"attrs":[{"assign_adapter":"5"}],"mdev_type":"vfio_ap-passthrough","start":"manual"}"#
    );
}

#[test]
fn what_is_to_be_there_after_the_next_boot_is_written_down() {
    use std::os::unix::fs::PermissionsExt as _;
    let tree = ls::tree();
    let at = tree.path();
    as_a_real_host(at);
    fs::create_dir(at.join("bin")).expect("a directory");
    for program in ["mdevctl", "systemctl"] {
        let path = at.join("bin").join(program);
        fs::write(&path, format!("#!/bin/sh\necho {program} \"$@\" >> log\ncat >> log\n")).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }
    let text = "[[mdev]]\nuuid = \"a0000001-0000-4000-8000-000000000002\"\nadapters = 11\ndomains = 6\n\
                control_domains = []\nboot = \"auto\"\n";
    wish(at, text);
    let run = || {
        let arguments =
            ["apply", "want.toml", "--root", "sys", "--run-dir", "run", "--boot", "--etc-dir", "etc"];
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_apmatrix"));
        command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", at.join("bin").display()));
        let ran = command.current_dir(at).args(arguments).output().expect("it runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let log = fs::read_to_string(at.join("log")).expect("a log");
        fs::remove_file(at.join("log")).expect("it was there");
        log
    };
    assert_eq!(
        run(),
        "systemctl --version\nmdevctl list --defined --dumpjson --uuid a0000001-0000-4000-8000-000000000002\n\
         mdevctl undefine --uuid a0000001-0000-4000-8000-000000000002\n\
         mdevctl define --uuid a0000001-0000-4000-8000-000000000002 --parent matrix --jsonfile /dev/stdin\n\
         {\"attrs\":[{\"assign_adapter\":\"11\"},{\"assign_domain\":\"6\"}],\"mdev_type\":\"vfio_ap-passthrough\",\
         \"start\":\"auto\"}systemctl daemon-reload\nsystemctl enable apmatrix-apply.service\n"
    );
    let kept = fs::read_to_string(at.join("etc/apmatrix/desired.toml")).expect("a file");
    assert_eq!(kept, format!("{HEAD}{text}"));
    let unit = fs::read_to_string(at.join("etc/systemd/system/apmatrix-apply.service")).expect("a unit");
    assert!(unit.contains("apply /etc/apmatrix/desired.toml"), "{unit}");
    // Once more: nothing of the files is written, and the unit is only enabled.
    assert!(!run().contains("daemon-reload"));
    // A plan cannot be kept.
    assert_eq!(apmatrix_in(at, &["plan", "want.toml", "--root", "sys", "-o", "plan.json"]).status, 0);
    let ran = apmatrix_in(at, &["apply", "plan.json", "--root", "sys", "--run-dir", "run", "--boot"]);
    assert_eq!(ran.status, 2, "{}", ran.err);
}
