//! Every command of the guides runs, the script lines of the CI job included.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ap_task::kernel::Ground;
use ap_task::{Flag, Kernel, Version};

/// The page whose blocks show what they print, whole.
const FINDINGS: &str = "findings.md";
/// The page whose blocks print at least what stands below them.
const THEFT: &str = "theft.md";

/// How long one block may take: far more than any needs.
const LIMIT: Duration = Duration::from_secs(120);

struct Block {
    page: String,
    line: usize,
    script: String,
    needs: Vec<String>,
    /// What it prints, where the page shows that: the indented lines below it.
    prints: Option<String>,
}

/// Code that a guide shows stands, line by line, in the test that runs it; `...` leaves lines out.
fn is_an_excerpt(page: &str, start: usize, lines: &[String]) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ap-host/tests");
    let text = ["own_driver.rs", "own_driver/lender.rs"]
        .map(|file| fs::read_to_string(tests.join(file)).expect("the test of the guide's driver"))
        .concat();
    let known: std::collections::BTreeSet<&str> = text.lines().map(str::trim).collect();
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| !matches!(line.trim(), "" | "...")) {
        let stands = known.contains(line.trim());
        assert!(stands, "{page}:{}: `{line}` does not stand in the test", start + 1 + number);
    }
}

fn guides() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide")
}

/// The fenced blocks of a page: `sh` whole, of `yaml` the lines of each `run: |`.
fn blocks(path: &Path) -> Vec<Block> {
    let page = path.file_name().expect("a name").to_string_lossy().into_owned();
    let text = fs::read_to_string(path).expect("a page");
    let (mut found, mut needs, mut open) = (Vec::new(), Vec::new(), None::<(String, usize, Vec<String>)>);
    for (number, line) in text.lines().enumerate() {
        if let Some((language, start, mut lines)) = open.take() {
            if line == "```" {
                let script = match language.as_str() {
                    "sh" => lines.join("\n"),
                    "yaml" => yaml_scripts(&lines),
                    "rust" => {
                        is_an_excerpt(&page, start, &lines);
                        needs.clear();
                        continue;
                    }
                    other => panic!("{page}:{start}: a block of `{other}`: sh, yaml and rust are checked"),
                };
                let below = text.lines().skip(number + 1).skip_while(|line| line.is_empty());
                let shown: Vec<&str> = below.map_while(|line| line.strip_prefix("    ")).collect();
                found.push(Block {
                    page: page.clone(),
                    line: start,
                    script,
                    needs: std::mem::take(&mut needs),
                    prints: (!shown.is_empty()).then(|| shown.join("\n")),
                });
            } else {
                lines.push(line.to_owned());
                open = Some((language, start, lines));
            }
        } else if let Some(language) = line.strip_prefix("```") {
            open = Some((language.to_owned(), number + 1, Vec::new()));
        } else if let Some(list) = line.strip_prefix("<!-- needs: ") {
            needs = list.trim_end_matches(" -->").split(' ').map(str::to_owned).collect();
        }
    }
    assert!(open.is_none(), "{page}: a block without an end");
    found
}

fn yaml_scripts(lines: &[String]) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let (mut scripts, mut inside) = (Vec::new(), None);
    for line in lines {
        match inside {
            Some(depth) if line.trim().is_empty() || indent(line) > depth => {
                scripts.push(line.trim_start().to_owned())
            }
            _ if line.trim_start().trim_start_matches("- ").starts_with("run: |") => {
                inside = Some(indent(line))
            }
            _ => inside = None,
        }
    }
    assert!(!scripts.is_empty(), "a CI job has script lines");
    scripts.join("\n")
}

/// What a block needs that is not here.
fn lacking(block: &Block) -> Option<String> {
    block.needs.iter().find_map(|need| match need.as_str() {
        "fuse" => {
            let probe = Command::new(env!("CARGO_BIN_EXE_apmatrix"))
                .args(["run", "--machine", "tiny", "--", "true"])
                .stdin(Stdio::null())
                .output()
                .expect("the program runs");
            (!probe.status.success())
                .then(|| format!("`apmatrix run`: {}", String::from_utf8_lossy(&probe.stderr).trim()))
        }
        tool => {
            let found = std::env::var_os("PATH")
                .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(tool).is_file()));
            (!found).then(|| format!("{tool} is not installed"))
        }
    })
}

fn run(block: &Block, directory: &Path) {
    let bin = Path::new(env!("CARGO_BIN_EXE_apmatrix")).parent().expect("a directory").to_owned();
    let mut path = vec![bin];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let out = directory.join("out.txt");
    let log = fs::File::create(&out).expect("a file for the output");
    let mut child = Command::new("sh")
        .args(["-eu", "-c", &block.script])
        .current_dir(directory)
        .env("PATH", std::env::join_paths(path).expect("a path"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .expect("a shell");
    let start = Instant::now();
    let status = loop {
        match child.try_wait().expect("the shell is ours") {
            Some(status) => break Some(status),
            None if start.elapsed() > LIMIT => {
                let _ = child.kill();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let said = fs::read_to_string(&out).unwrap_or_default();
    let place = format!("{}:{}", block.page, block.line);
    assert!(
        status.is_some_and(|status| status.success()),
        "{place}: {status:?}\n{}\n--- printed:\n{said}",
        block.script
    );
    if let Some(prints) = block.prints.as_ref().filter(|_| block.page == FINDINGS) {
        assert_eq!(said.trim_end(), prints.trim_end(), "{place} does not print what the page shows");
    }
    // This page shortens: each of its lines begins one that is printed, but those with `…`, from a table.
    if let Some(prints) = block.prints.as_ref().filter(|_| block.page == THEFT) {
        let shown = prints.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains('…'));
        for line in shown {
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            let found = said.lines().any(|printed| words(printed).starts_with(&words(line)));
            assert!(found, "{place} does not print `{line}`:\n{said}");
        }
    }
}

#[test]
fn every_command_of_the_guides_runs() {
    let mut pages: Vec<PathBuf> =
        fs::read_dir(guides()).expect("docs/guide").map(|entry| entry.expect("an entry").path()).collect();
    pages.extend([FINDINGS, THEFT].map(|page| guides().join("..").join(page)));
    pages.sort();
    let (mut ran, mut skipped) = (0, Vec::new());
    for page in pages {
        let directory = tempfile::tempdir().expect("a directory");
        for block in blocks(&page) {
            match lacking(&block) {
                Some(why) => skipped.push(format!("{}:{}: {why}", block.page, block.line)),
                None => {
                    run(&block, directory.path());
                    ran += 1;
                }
            }
        }
    }
    println!("guides: {ran} blocks ran, {} skipped", skipped.len());
    for why in &skipped {
        println!("SKIPPED {why}");
    }
    assert!(ran >= 5, "the blocks that need nothing ran");
}

/// The guide's table of flags says what the program says.
#[test]
fn the_table_of_kernels_is_the_programs() {
    let page = fs::read_to_string(guides().join("kernels.md")).expect("the page");
    for flag in Flag::ALL {
        let start = format!("| `{flag}` |");
        let row = page.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("kernels.md has no row of {flag}"));
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        for (version, cell) in Version::ALL.into_iter().zip(&cells[1..]) {
            assert_eq!(*cell == "yes", Kernel::of(version).has(flag), "{flag} of {version}: {row}");
        }
        let what = cells[6].replace('`', "");
        match flag.ground() {
            Ground::Recorded => assert_eq!(what, flag.what(), "{flag}"),
            Ground::ByReading => assert_eq!(what, format!("{} (*by reading*)", flag.what()), "{flag}"),
            Ground::NoEffect(_) => assert!(what.starts_with("no effect"), "{flag}: {what}"),
        }
    }
    for number in Version::NUMBERS {
        let version = Version::from_number(number).expect("it is known");
        assert!(version.name() == number || page.contains(number), "kernels.md says nothing of {number}");
    }
}
