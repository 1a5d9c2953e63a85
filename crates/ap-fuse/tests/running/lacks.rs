//! What the environment may lack: one sentence, with what to do, and exit status 3.

use std::process::Command;

use crate::support::{Skip, Suite, finish, need_mounts, outcome, serve};

pub fn cases(suite: &mut Suite) {
    suite
        .case("no_device", || lacks("mount -t tmpfs none /dev; exec \"$0\" \"$@\"", "there is no /dev/fuse"));
    suite.case("a_device_for_root_only", || {
        lacks(
            "mount -t tmpfs -o mode=755 none /mnt && mknod -m 600 /mnt/fuse c 10 229 && mount --bind /mnt/fuse /dev/fuse
             cp \"$0\" /mnt/program && chmod 755 /mnt/program
             exec setpriv --reuid=65534 --regid=65534 --clear-groups /mnt/program \"$@\"",
            "/dev/fuse may not be opened",
        )
    });
    suite.case("a_file_that_is_called_as_the_device", || {
        let bound = |what: &str| {
            format!("mount -t tmpfs none /mnt; {what}; mount --bind /mnt/fuse /dev/fuse; exec \"$0\" \"$@\"")
        };
        lacks(&bound("touch /mnt/fuse"), "/dev/fuse is a file and not the FUSE device")?;
        lacks(&bound("mknod /mnt/fuse c 1 3"), "/dev/fuse is another device and not the FUSE device")
    });
    suite.case("no_user_namespaces", || {
        lacks(
            "exec unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces
             exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"' sh \"$0\" \"$@\"",
            "user namespaces are switched off",
        )
    });
    suite.case("no_sys", || {
        lacks(
            "mount -t tmpfs none /mnt; cp \"$0\" /mnt/program; mkdir /mnt/proc /mnt/dev
             for d in lib lib64 usr proc; do mkdir -p /mnt/$d; test -e /$d && mount --rbind /$d /mnt/$d; done
             shift 0; exec chroot /mnt /program \"$@\"",
            "there is no directory /sys",
        )
    });
}

fn lacks(script: &str, sentence: &str) -> Result<(), Skip> {
    need_mounts()?;
    let own = std::env::current_exe().expect("our own path");
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", script]).arg(own);
    command.args([serve::SERVE, "run", "--", "true"]);
    let (text, status) = outcome(&finish(command));
    assert_eq!(status, 3, "{text}");
    assert!(text.contains(sentence), "{text}");
    assert_eq!(text.lines().count(), 1, "one sentence: {text}");
    Ok(())
}
