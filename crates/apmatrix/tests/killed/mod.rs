//! Searches that are killed and go on: what they print, and how they are waited for and killed. Knows not what they explore.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Output};
use std::time::Duration;

/// The document that a search prints, without these fields: how long it took, how much memory.
pub fn told(output: &Output, vary: &[&str]) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stderr);
    let mut document: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"));
    let fields = document.as_object_mut().expect("an object");
    for field in vary {
        fields.remove(*field).expect("it is said");
    }
    document
}

/// Waits until a file is there, as long as the process runs.
pub fn wait_for(file: &Path, child: &mut Child) {
    while !file.exists() {
        assert_eq!(child.try_wait().expect("it can be waited for"), None, "it runs until it is killed");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Kills a process that has not ended.
pub fn kill(mut child: Child) {
    child.kill().expect("it runs");
    let status = child.wait().expect("it ends");
    assert_eq!(status.signal(), Some(9), "it was killed before it had ended");
}
