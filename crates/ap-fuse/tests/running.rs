//! `run` and `mount` as programs: statuses, signals, terminals, what is missing, and that nothing is left.

#[path = "running/ends.rs"]
mod ends;
#[path = "running/lacks.rs"]
mod lacks;
#[path = "running/on_a_directory.rs"]
mod on_a_directory;
#[path = "running/pty.rs"]
mod pty;
#[path = "support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use support::{Skip, Suite, as_user, finish, need_mounts, outcome, own, role, run, serve};

fn main() {
    if let Some((role, arguments)) = role()
        && role == serve::SERVE
    {
        serve::serve(arguments);
    }
    support::isolate();
    notice_signals();
    let mut suite = Suite::new();
    suite.case("statuses", statuses);
    suite.case("starts_fast", starts_fast);
    suite.case("what_stays_of_the_real_sys", what_stays);
    suite.case("the_network_stays_without_uevents", the_network_stays);
    suite.case("directory_of_the_caller", directory_of_the_caller);
    suite.case("one_processor", one_processor);
    suite.case("as_an_ordinary_user", as_an_ordinary_user);
    ends::cases(&mut suite);
    lacks::cases(&mut suite);
    on_a_directory::cases(&mut suite);
    pty::cases(&mut suite);
    suite.end();
}

/// A shell that starts something in the background has it ignore SIGINT and SIGQUIT, and a shell can't trap what it was
/// told to ignore: the cases would wait for ever.
fn notice_signals() {
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP] {
        // SAFETY: the default action of a signal needs nothing.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

fn statuses() -> Result<(), Skip> {
    need_mounts()?;
    for (text, expected) in [
        ("exit 0", 0),
        ("exit 7", 7),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
        ("trap '' TERM; sleep 0; exit 3", 3),
    ] {
        assert_eq!(run(&[], text).1, expected, "{text}");
    }
    for (command, expected, said) in [
        ("/no/such/command", 125, "command not found"),
        ("no-such-command", 125, "command not found"),
        ("/etc/passwd", 125, "Permission denied"),
        ("/etc", 125, "Permission denied"),
    ] {
        let (text, status) = outcome(&finish(own(&["run", "--", command])));
        assert_eq!(status, expected, "{text}");
        assert!(text.contains(said), "{text}");
    }
    Ok(())
}

fn starts_fast() -> Result<(), Skip> {
    need_mounts()?;
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(outcome(&finish(own(&["run", "--", "true"]))).1, 0);
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!("  from the start to the end of `run -- true`: {} ms, the median of 5", times[2].as_millis());
    assert!(times[2] < Duration::from_millis(300));
    Ok(())
}

fn what_stays() -> Result<(), Skip> {
    need_mounts()?;
    let (text, status) = run(
        &[],
        "set -e; test -e /sys/devices/system/cpu/online; test \"$(ls /sys/class/net)\" = lo
         test -e /sys/class/net/lo/mtu; ls -d /sys/block /sys/dev/block /sys/module/zfcp >/dev/null
         test -e /proc/self/stat; test -e /run/udev/control; cat /sys/kernel/uevent_seqnum >/dev/null
         test \"$SYSTEMD_DEVICE_VERIFY_SYSFS\" = 0; test ! -e /sys/bus/pci
         if grep -q ' /sys/fs/cgroup' /proc/mounts; then ls /sys/fs/cgroup/* >/dev/null; fi
         ping -c1 127.0.0.1 >/dev/null 2>&1 || true; cat /sys/class/net/lo/operstate",
    );
    assert_eq!(status, 0, "{text}");
    Ok(())
}

fn the_network_stays() -> Result<(), Skip> {
    need_mounts()?;
    let text = "readlink /proc/self/ns/net; ls /sys/class/net";
    let (inside, status) = run(&["--no-uevents"], text);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", text]);
    assert_eq!((inside, status), outcome(&finish(command)));
    Ok(())
}

fn directory_of_the_caller() -> Result<(), Skip> {
    need_mounts()?;
    let mut command = own(&["run", "--", "sh", "-c", "ls; pwd"]);
    command.current_dir("/sys/bus");
    let (text, status) = outcome(&finish(command));
    assert_eq!((text.as_str(), status), ("test\n/sys/bus\n", 0), "the directory is the machine's, too");
    Ok(())
}

fn one_processor() -> Result<(), Skip> {
    need_mounts()?;
    let (text, status) =
        run(&["--cpu", "0"], "grep Cpus_allowed_list /proc/self/status; cat /sys/bus/test/ro");
    assert_eq!((text.as_str(), status), ("Cpus_allowed_list:\t0\nfixed\n", 0));
    let (text, status) = outcome(&finish(own(&["run", "--cpu", "4000", "--", "true"])));
    assert_eq!(status, 125, "{text}");
    assert!(text.contains("no processor 4000") && text.contains("`--cpu` takes one of 0"), "{text}");
    Ok(())
}

fn as_an_ordinary_user() -> Result<(), Skip> {
    need_mounts()?;
    let text = "id -u; cat /sys/bus/test/rw; echo 5 > /sys/bus/test/rw; cat /sys/bus/test/rw
                echo new > /sys/bus/test/create && ls /sys/bus/test/devices; cat /sys/bus/test/wo 2>&1; exit 7";
    let (text, status) = outcome(&finish(as_user(&["run", "--", "sh", "-c", text])));
    let expected = "0\n0\n5\ndev0000\ndev0001\nnew\ncat: /sys/bus/test/wo: Permission denied\n";
    assert_eq!((text.as_str(), status), (expected, 7));
    Ok(())
}
