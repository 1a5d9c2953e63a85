//! `mount DIR`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::process::{Signal, kill_process};

use crate::support::{Skip, Suite, finish, finish_child, mounts, need_mounts, outcome, own, pid, until};

pub fn cases(suite: &mut Suite) {
    suite.case("mount_until_a_signal", until_a_signal);
    suite.case("mount_until_somebody_unmounts", until_somebody_unmounts);
    suite.case("mount_refuses_what_is_in_use", refuses);
    suite.case("mount_is_cleared_after_sigkill", cleared_after_sigkill);
    suite.case("mount_refuses_a_dead_mount", refuses_a_dead_mount);
}

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("ap-fuse-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Directory(path)
    }

    fn name(&self) -> &str {
        self.0.to_str().expect("a name")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start(directory: &Directory) -> Child {
    let mut child = own(&["mount", directory.name()]).stdout(Stdio::piped()).spawn().expect("a child");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    assert_eq!(line, "mounted\n");
    child
}

fn serves(directory: &Directory) -> bool {
    std::fs::read(directory.0.join("bus/test/ro")).is_ok_and(|text| text == b"fixed\n")
}

fn until_a_signal() -> Result<(), Skip> {
    need_mounts()?;
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        // With a blank in its name.
        let directory = Directory::new("a signal");
        let child = start(&directory);
        assert!(serves(&directory));
        let held = std::fs::File::open(directory.0.join("bus/test/ro")).expect("a file of it");
        kill_process(pid(&child), signal).expect("kill");
        assert_eq!(outcome(&finish_child(child)).1, 0);
        assert!(!serves(&directory) && directory.0.exists() && mounts().is_empty());
        drop(held);
    }
    Ok(())
}

fn until_somebody_unmounts() -> Result<(), Skip> {
    need_mounts()?;
    let directory = Directory::new("unmounted");
    let child = start(&directory);
    rustix::mount::unmount(&directory.0, rustix::mount::UnmountFlags::empty()).expect("umount");
    assert_eq!(outcome(&finish_child(child)).1, 0);
    Ok(())
}

fn refuses() -> Result<(), Skip> {
    need_mounts()?;
    let directory = Directory::new("in use");
    let child = start(&directory);
    for (path, sentence) in [
        (directory.name(), "is in use: apmatrix (fuse.apmatrix) is mounted there; `umount"),
        ("/proc", "is in use: proc (proc) is mounted there"),
        ("/etc/passwd", "is not a directory"),
        ("/no/such/directory", "does not exist: `mkdir"),
    ] {
        let (text, status) = outcome(&finish(own(&["mount", path])));
        assert_eq!(status, 3, "{text}");
        assert!(text.contains(sentence), "{text}");
    }
    assert!(serves(&directory), "the refusal harmed the mount");
    kill_process(pid(&child), Signal::TERM).expect("kill");
    assert_eq!(outcome(&finish_child(child)).1, 0);
    Ok(())
}

fn cleared_after_sigkill() -> Result<(), Skip> {
    need_mounts()?;
    let directory = Directory::new("killed");
    let child = start(&directory);
    kill_process(pid(&child), Signal::KILL).expect("kill");
    assert_eq!(outcome(&finish_child(child)).1, 256 + 9);
    until("the guard unmounts", || mounts().is_empty());
    Ok(())
}

fn refuses_a_dead_mount() -> Result<(), Skip> {
    need_mounts()?;
    let directory = Directory::new("dead");
    let child = start(&directory);
    // Whoever kills the guard, too, gets a dead mount.
    let children =
        std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).expect("children");
    let guard = children.trim().parse().ok().and_then(rustix::process::Pid::from_raw).expect("the guard");
    kill_process(guard, Signal::KILL).expect("kill");
    kill_process(pid(&child), Signal::KILL).expect("kill");
    assert_eq!(outcome(&finish_child(child)).1, 256 + 9);
    until("the mount is dead", || Path::new(directory.name()).metadata().is_err());
    let (text, status) = outcome(&finish(own(&["mount", directory.name()])));
    assert_eq!(status, 3, "{text}");
    let how = format!("umount -l {}", directory.name());
    assert!(text.contains("is a dead mount") && text.contains(&how), "{text}");
    Ok(())
}
