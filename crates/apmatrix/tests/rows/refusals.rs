//! What the environment refuses: T9, by faults that strace injects.

use std::process::Command;

use crate::skip::skip;
use crate::support::{APMATRIX, Who, installed, lacks, refused};

/// A system call's failure, and what is said of it.
const REFUSALS: [(&str, &str); 10] = [
    ("write:error=EACCES:when=1", "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
    ("write:error=EPERM:when=2", "sudo apmatrix run"),
    ("unshare:error=EPERM", "sudo apmatrix run"),
    ("unshare:error=ENOSPC", "user.max_net_namespaces"),
    ("mount:error=EACCES", "mounting is refused"),
    ("fsopen:error=EPERM", "mounting is refused"),
    ("fsmount:error=EPERM", "mounting is refused"),
    ("move_mount:error=EPERM", "mounting is refused"),
    ("clone3:error=EPERM", "sudo apmatrix run"),
    ("setns:error=EPERM", "sudo apmatrix run"),
];

#[test]
fn t9_every_refusal_has_a_remedy_and_status_3() {
    if !installed("strace") {
        return skip("t9", "strace is not installed");
    }
    if let Some(why) = lacks(Who::User) {
        return skip("t9", why);
    }
    for (fault, remedy) in REFUSALS {
        let said = refused(fault);
        assert_eq!(said.status, Some(3), "{fault}: {}", said.text);
        // Lines end where the width does.
        let text = said.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (_, sentence) = text.split_once("error: ").unwrap_or_default();
        let sentence = sentence.split("hint: ").next().unwrap_or_default();
        assert!(sentence.contains(remedy), "{fault}: {}", said.text);
        assert!(text.contains("hint: `apmatrix shell`"), "{fault}: {}", said.text);
    }
    // What somebody took away: here in namespaces of the test's own.
    for (taken, remedy) in [
        ("umount -l /proc", "mount -t proc proc /proc"),
        ("mount -t tmpfs none /dev", "`--device /dev/fuse`"),
    ] {
        let script = format!("{taken} && exec \"$0\" run --machine tiny -- true");
        let output = Command::new("unshare").args(["-m", "sh", "-c", &script, APMATRIX]).output();
        let output = output.expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        let text = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(output.status.code() == Some(3) && text.contains(remedy), "{taken}: {said}");
    }
    for (namespaces, remedy) in [("net", "--no-uevents"), ("mnt", "user.max_mnt_namespaces")] {
        let file = format!("/proc/sys/user/max_{namespaces}_namespaces");
        let script = format!("echo 0 > {file} && exec \"$0\" run --machine tiny -- true");
        let output = Command::new("unshare").args(["-Ur", "sh", "-c", &script, APMATRIX]).output();
        let output = output.expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(3) && said.contains(remedy), "{namespaces}: {said}");
    }
    // What a run can do without: it only loses what depends on it.
    for fault in ["seccomp:error=EBUSY", "mount_setattr:error=ENOSYS", "open_tree:error=EPERM"] {
        let said = refused(fault);
        assert_eq!(said.status, Some(0), "{fault}: {}", said.text);
    }
}
