//! Every block of the pages runs, and prints what the page shows: no line less and no line more. How a page marks what is
//! otherwise stands in docs/guide/README.md.
//!
//! `APMATRIX_PAGES=rewrite` writes what was printed into the pages (then look at the difference), `APMATRIX_PAGES=long` also
//! runs the blocks that build this project anew.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::pages::{Code, Page, root, shown};
use crate::skip::{pass_over, skip_all, tell};

/// How long one block may take: far more than any needs. One that builds may take as long as ten.
const LIMIT: Duration = Duration::from_secs(240);

/// The blocks that nothing here can run. A page says `<!-- not run: REASON -->` before one; nobody adds one unseen.
const NOT_RUN: [&str; 8] = [
    "docs/guide/explore-on-a-cluster.md: kubectl apply -f docs/guide/cluster/kubernetes.yaml",
    "docs/guide/explore-on-a-cluster.md: sbatch --nodes=8 --time=24:00:00 docs/guide/cluster/slurm.sbatch",
    "docs/installation.md: rustup toolchain install 1.89.0",
    "docs/installation.md: tar -tf apmatrix-0.1.0-x86_64-linux.tar.xz | sed 's|^[^/]*/||' | grep -v '/$' | (cd /usr/local && sudo xargs rm --)",
    "docs/installation.md: git clone https://github.com/OWNER/apmatrix",
    "docs/guide/use-it-in-ci.md:       - uses: actions/checkout@v4",
    "docs/guide/use-it-in-ci.md: docker run --rm --device /dev/fuse --cap-add SYS_ADMIN --security-opt apparmor=unconfined \\",
    "docs/mutants.md: ci/mutants                  # 120 of all crates, drawn by seed 1; goes on where it was ended",
];

/// What a block is for the test.
enum Kind {
    /// Shell text.
    Script(String),
    /// A file that later blocks use.
    File(String),
    /// Lines that stand in a script of the project, which runs them.
    RunBy(String),
    /// Lines of the test that runs them.
    Excerpt,
    /// What a block before it prints, or a drawing in text.
    Text,
    NotRun(String),
}

fn kind(code: &Code) -> Result<Kind, String> {
    if let Some(reason) = code.mark("not run") {
        return Ok(Kind::NotRun(reason.to_owned()));
    }
    if let Some(script) = code.mark("run by") {
        return Ok(Kind::RunBy(script.to_owned()));
    }
    if let Some(name) = code.mark("file") {
        return Ok(Kind::File(name.to_owned()));
    }
    match code.language.as_deref() {
        Some("sh") => Ok(Kind::Script(code.text.clone())),
        Some("yaml") => Ok(Kind::Script(workflow(&code.text))),
        Some("rust") => Ok(Kind::Excerpt),
        None | Some("text") => Ok(Kind::Text),
        Some(other) => Err(format!(
            "a block of `{other}`: sh, yaml, rust and text are checked, others need `<!-- file: NAME -->`"
        )),
    }
}

/// The script lines of a workflow's steps. A step whose name begins with "Install" is for a fresh machine: it is left out.
fn workflow(text: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let (mut scripts, mut inside, mut installs) = (Vec::new(), None, false);
    for line in text.lines() {
        let bare = line.trim_start();
        let words = bare.trim_start_matches("- ");
        match inside {
            Some(depth) if bare.is_empty() || indent(line) > depth => {
                if !installs {
                    scripts.push(bare.to_owned());
                }
                continue;
            }
            _ => inside = None,
        }
        if bare.starts_with("- ") {
            installs = false;
        }
        if words.starts_with("name: Install") {
            installs = true;
        } else if words.starts_with("run: |") {
            inside = Some(indent(line) + usize::from(bare.starts_with("- ")) * 2);
        } else if let Some(script) = words.strip_prefix("run: ")
            && !installs
        {
            scripts.push(script.to_owned());
        }
    }
    assert!(!scripts.is_empty(), "a CI job has script lines");
    scripts.join("\n")
}

impl Code {
    /// Whether it builds the project anew, in a copy.
    fn builds(&self) -> bool {
        self.mark("needs").is_some_and(|needs| needs.split(' ').any(|need| need == "checkout"))
    }
}

/// What a block needs that is not here, and why it is not.
enum Lacking {
    /// What CI has where it installs what it needs.
    Installed(String),
    /// What has to be asked for, or what nobody here can install.
    Asked(String),
}

fn lacking(code: &Code) -> Option<Lacking> {
    code.mark("needs")?.split(' ').find_map(|need| match need {
        "fuse" => {
            let probe = Command::new(env!("CARGO_BIN_EXE_apmatrix"))
                .args(["run", "--machine", "tiny", "--", "true"])
                .stdin(Stdio::null())
                .output()
                .expect("the program runs");
            let said = String::from_utf8_lossy(&probe.stderr);
            match probe.status.code() {
                Some(0) => None,
                Some(3) => Some(Lacking::Installed(format!("`apmatrix run`: {}", said.trim()))),
                _ => panic!("`apmatrix run` ended with {}: {said}", probe.status),
            }
        }
        "checkout" => (!long())
            .then(|| Lacking::Asked("it builds the project anew; APMATRIX_PAGES=long runs it".to_owned())),
        "pytest" => {
            let probe = Command::new("python3").args(["-m", "pytest", "--version"]).output();
            (!probe.is_ok_and(|probe| probe.status.success()))
                .then(|| Lacking::Asked("python3 has no pytest".to_owned()))
        }
        "xdist" => {
            let probe = Command::new("python3").args(["-c", "import xdist"]).output();
            (!probe.is_ok_and(|probe| probe.status.success()))
                .then(|| Lacking::Asked("python3 has no pytest-xdist".to_owned()))
        }
        tool @ ("bash" | "curl" | "jq" | "mdevctl" | "python3" | "timeout" | "udevadm") => {
            let found = std::env::var_os("PATH")
                .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(tool).is_file()));
            (!found).then(|| Lacking::Installed(format!("{tool} is not installed")))
        }
        other => panic!("`needs: {other}`: nobody here knows what that is"),
    })
}

/// Whether the environment asks for it: `rewrite`, `long`.
pub fn asked(what: &str) -> bool {
    std::env::var("APMATRIX_PAGES").is_ok_and(|text| text.split(',').any(|word| word == what))
}

fn long() -> bool {
    asked("long")
}

/// Runs it. What it printed, both streams as they come; or what went wrong.
fn run(script: &str, code: &Code, directory: &Path) -> Result<String, String> {
    let bin = Path::new(env!("CARGO_BIN_EXE_apmatrix")).parent().expect("a directory").to_owned();
    let mut path = vec![bin];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let out = directory.join(".printed");
    let log = fs::File::create(&out).expect("a file for the output");
    let builds = code.builds();
    let mut command = Command::new("sh");
    command
        .args(["-eu", "-c", script])
        .current_dir(if builds { directory.join("apmatrix") } else { directory.to_owned() })
        .env("PATH", std::env::join_paths(path).expect("a path"))
        .env("LC_ALL", "C.UTF-8")
        .env_remove("APMATRIX_PAGES")
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log);
    if builds {
        command.env("CARGO_TARGET_DIR", root().join("target/pages/target")).env("CARGO_TERM_QUIET", "true");
    }
    let mut child = command.spawn().expect("a shell");
    let (start, limit) = (Instant::now(), LIMIT * if builds { 10 } else { 1 });
    let status = loop {
        match child.try_wait().expect("the shell is ours") {
            Some(status) => break Some(status),
            None if start.elapsed() > limit => {
                let _ = child.kill();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let said = String::from_utf8_lossy(&fs::read(&out).unwrap_or_default()).into_owned();
    match status {
        Some(status) if status.success() => Ok(said),
        Some(status) => Err(format!("{status}\n{script}\n--- printed:\n{said}")),
        None => Err(format!("it did not end in {} s\n{script}\n--- printed:\n{said}", limit.as_secs())),
    }
}

/// Whether a text is what a page shows: `...` on a line of its own stands for one line or more, `…` for any text in a line.
fn shows(shown: &[&str], printed: &[&str]) -> bool {
    match (shown.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((&"...", rest)), Some((_, after))) => (0..=after.len()).any(|left| shows(rest, &after[left..])),
        (Some((line, rest)), Some((first, after))) => like(line, first) && shows(rest, after),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn like(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut left) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    let mut open = false;
    while let Some(part) = parts.next() {
        open = true;
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    open || left.is_empty()
}

fn lines(text: &str) -> Vec<&str> {
    text.trim_end().lines().map(str::trim_end).collect()
}

/// The first line of each that the other has not.
fn difference(shown: &[&str], printed: &[&str]) -> String {
    let at = (0..shown.len().max(printed.len()))
        .find(|&at| match (shown.get(at), printed.get(at)) {
            (Some(&"..."), _) => true,
            (Some(shown), Some(printed)) => !like(shown, printed),
            _ => true,
        })
        .unwrap_or(0);
    let line = |lines: &[&str]| lines.get(at).map_or("(nothing more)".to_owned(), |line| format!("`{line}`"));
    format!("line {}: the page shows {}, printed was {}", at + 1, line(shown), line(printed))
}

/// What is told of all pages.
#[derive(Default)]
struct Told {
    ran: usize,
    compared: usize,
    skipped: Vec<(String, String)>,
    lacking: Vec<String>,
    wrong: Vec<String>,
    not_run: BTreeSet<String>,
}

fn play(page: &Page, told: &Mutex<Told>) {
    let temporary = tempfile::tempdir().expect("a directory");
    // What is built a second time is quick if it stands where it stood.
    let lasting = (long() && page.codes.iter().any(Code::builds)).then(|| root().join("target/pages/copy"));
    if let Some(directory) = &lasting {
        let _ = fs::remove_dir_all(directory);
        fs::create_dir_all(directory).expect("a directory for the copy");
    }
    let directory = lasting.as_deref().unwrap_or(temporary.path());
    for name in ["scenarios", "specimens"] {
        std::os::unix::fs::symlink(root().join(name), directory.join(name)).expect("a link");
    }
    if lasting.is_some() {
        clone(directory);
    }
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let wrong = |what: String| told.lock().expect("nobody panics").wrong.push(what);
    for (number, code) in page.codes.iter().enumerate() {
        let place = page.at(code.range.start);
        let kind = match kind(code) {
            Ok(kind) => kind,
            Err(why) => {
                wrong(format!("{place}: {why}"));
                continue;
            }
        };
        let script = match kind {
            Kind::Text => continue,
            Kind::File(name) => {
                fs::write(directory.join(&name), &code.text).expect("a file for the block");
                continue;
            }
            Kind::Excerpt => {
                is_an_excerpt(page, code).unwrap_or_else(&wrong);
                continue;
            }
            Kind::RunBy(script) => {
                stands_in(code, &script).unwrap_or_else(|why| wrong(format!("{place}: {why}")));
                continue;
            }
            Kind::NotRun(reason) => {
                let mut told = told.lock().expect("nobody panics");
                told.skipped.push((place.clone(), reason));
                told.not_run.insert(format!(
                    "{}: {}",
                    page.name,
                    code.text.lines().next().unwrap_or_default()
                ));
                continue;
            }
            Kind::Script(script) => script,
        };
        if let Some(lacking) = lacking(code) {
            let mut told = told.lock().expect("nobody panics");
            match lacking {
                Lacking::Installed(why) => told.lacking.push(format!("{place}: {why}")),
                Lacking::Asked(why) => told.skipped.push((place, why)),
            }
            continue;
        }
        let below = page.codes.get(number + 1).filter(|next| {
            next.follows && next.marks.is_empty() && matches!(next.language.as_deref(), None | Some("text"))
        });
        let printed = match run(&script, code, directory) {
            Ok(printed) => printed,
            Err(why) => {
                wrong(format!("{place}: {why}"));
                continue;
            }
        };
        let (expected, got) = (below.map(|code| lines(&code.text)).unwrap_or_default(), lines(&printed));
        if shows(&expected, &got) {
            let mut told = told.lock().expect("nobody panics");
            told.ran += 1;
            told.compared += usize::from(below.is_some());
        } else if asked("rewrite") {
            edits.push(rewritten(code, below, &marked(&expected, &got)));
        } else {
            wrong(format!(
                "{place}: {}\n--- printed:\n{printed}",
                match below {
                    Some(_) => difference(&expected, &got),
                    None => "it prints something, and the page shows nothing below it".to_owned(),
                }
            ));
        }
    }
    if !edits.is_empty() {
        let mut text = page.text.clone();
        for (range, new) in edits.into_iter().rev() {
            text.replace_range(range, &new);
        }
        fs::write(root().join(&page.name), text).expect("the page is ours");
        wrong(format!("{}: rewritten; look at the difference, and run the test again", page.name));
    }
}

/// What was printed, with the marks of what the page shows now, as far as its lines are still there in that order.
fn marked(shown: &[&str], printed: &[&str]) -> Vec<String> {
    let (mut lines, mut at, mut left_out) = (Vec::new(), 0, false);
    for line in shown {
        if *line == "..." {
            left_out = true;
            continue;
        }
        let Some(found) = (at..printed.len()).find(|&found| like(line, printed[found])) else { continue };
        if left_out && found > at {
            lines.push("...".to_owned());
        } else {
            lines.extend(printed[at..found].iter().map(|&line| line.to_owned()));
        }
        lines.push((*line).to_owned());
        (at, left_out) = (found + 1, false);
    }
    if left_out && at < printed.len() {
        lines.push("...".to_owned());
    } else {
        lines.extend(printed[at..].iter().map(|&line| line.to_owned()));
    }
    lines
}

fn rewritten(code: &Code, below: Option<&Code>, printed: &[String]) -> (Range<usize>, String) {
    let fenced = format!("```text\n{}\n```", printed.join("\n"));
    match below {
        None => (code.range.end..code.range.end, format!("\n\n{fenced}")),
        Some(below) if below.language.is_some() => (below.range.clone(), fenced),
        Some(below) => {
            let indented: Vec<String> =
                printed
                    .iter()
                    .enumerate()
                    .map(|(number, line)| {
                        if number == 0 || line.is_empty() {
                            (*line).to_owned()
                        } else {
                            format!("    {line}")
                        }
                    })
                    .collect();
            (below.range.start..below.range.start + below_length(below), indented.join("\n"))
        }
    }
}

/// An indented block's range begins behind its first indentation and may take an end of line along.
fn below_length(below: &Code) -> usize {
    let lines = below.text.trim_end().lines();
    let count = lines.clone().count();
    let text: usize = lines.map(str::len).sum();
    let blank = below.text.trim_end().lines().filter(|line| line.is_empty()).count();
    text + (count - 1) + 4 * (count - 1 - blank)
}

/// A copy of what git knows, with the changes that are not committed, to be built and changed.
fn clone(directory: &Path) {
    let status = Command::new("sh")
        .args(["-eu", "-c", "mkdir \"$1/apmatrix\"; git ls-files -z | xargs -0 cp -p --parents -t \"$1/apmatrix\"; cd \"$1/apmatrix\"; git init -q; git add .; git -c user.name=a -c user.email=a@b commit -qm copy", "sh"])
        .arg(directory)
        .current_dir(root())
        .status()
        .expect("a shell");
    assert!(status.success(), "a copy of the checkout");
}

/// Code that a guide shows stands, line by line, in the test that runs it; `...` leaves lines out.
fn is_an_excerpt(page: &Page, code: &Code) -> Result<(), String> {
    let tests = root().join("crates/ap-host/tests");
    let text = ["own_driver.rs", "own_driver/lender.rs"]
        .map(|file| fs::read_to_string(tests.join(file)).expect("the test of the guide's driver"))
        .concat();
    let known: BTreeSet<&str> = text.lines().map(str::trim).collect();
    let wanting =
        code.text.lines().map(str::trim).find(|line| !matches!(*line, "" | "...") && !known.contains(line));
    match wanting {
        Some(line) => Err(format!("{}: `{line}` does not stand in the test", page.at(code.range.start))),
        None => Ok(()),
    }
}

/// The commands are those of a script of the project, but for what only keeps that quiet.
fn stands_in(code: &Code, script: &str) -> Result<(), String> {
    let text = fs::read_to_string(root().join(script)).map_err(|error| format!("{script}: {error}"))?;
    let plain = |line: &str| {
        let line = line.trim().split("  ").next().unwrap_or_default();
        line.replace(" --quiet", "").replace(" --workspace", "").trim().to_owned()
    };
    let known: BTreeSet<String> = text.lines().map(plain).collect();
    match code.text.lines().map(plain).find(|line| !line.is_empty() && !known.contains(line)) {
        Some(line) => Err(format!("{script} has no line `{line}`")),
        None => Ok(()),
    }
}

#[test]
fn h15_every_block_runs_and_prints_what_the_page_shows() {
    let only = std::env::var("APMATRIX_PAGE").ok();
    let pages: Vec<Page> = shown()
        .into_iter()
        .filter(|page| only.as_ref().is_none_or(|only| page.name.contains(only)))
        .collect();
    let (told, queue) = (Mutex::new(Told::default()), Mutex::new(pages.iter()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("nobody panics").next();
                    let Some(page) = next else { break };
                    play(page, &told);
                }
            });
        }
    });
    let told = told.into_inner().expect("nobody panics");
    let (ran, compared, skipped) = (told.ran, told.compared, told.skipped.len() + told.lacking.len());
    tell(&format!("pages: {ran} blocks ran, {compared} outputs compared, {skipped} blocks skipped"));
    for (place, why) in &told.skipped {
        pass_over(place, why);
    }
    assert!(told.wrong.is_empty(), "{} wrong:\n\n{}", told.wrong.len(), told.wrong.join("\n\n"));
    if only.is_none() {
        let known: BTreeSet<String> = NOT_RUN.map(str::to_owned).into();
        assert_eq!(told.not_run, known, "the blocks that nothing can run here are those that NOT_RUN lists");
        assert!(told.ran >= 40 && told.compared >= 30, "the blocks that need nothing ran");
    }
    skip_all(told.lacking);
}

#[test]
fn the_comparison_of_outputs_can_fail() {
    let same = |shown: &str, printed: &str| shows(&lines(shown), &lines(printed));
    assert!(same("a\nb", "a\nb\n"));
    assert!(!same("a", "a\nb"), "a line more");
    assert!(!same("a\nb", "a"), "a line less");
    assert!(!same("", "a"), "a page that shows nothing");
    assert!(same("a\n...\nd", "a\nb\nc\nd"));
    assert!(!same("a\n...\nd", "a\nd"), "a mark that stands for nothing");
    assert!(!same("a\n...\nd", "a\nb\nc"));
    assert!(same("took … s", "took 0.02 s"));
    assert!(same("…: … of …", "x: 1 of 2"));
    assert!(!same("took … s, … MiB", "took 0.02 s"));
    assert!(!same("ab", "abc"), "a line's end");
}

#[test]
fn marks_outlive_a_change_of_the_output() {
    let marks = |shown: &str, printed: &str| marked(&lines(shown), &lines(printed)).join("\n");
    assert_eq!(marks("a\ntook … s\n...\nz", "a\ntook 1 s\nb\nc\nz"), "a\ntook … s\n...\nz");
    assert_eq!(marks("a\ntook … s", "new\na\ntook 2 s\nmore"), "new\na\ntook … s\nmore");
    assert_eq!(marks("a\n...", "b\nc"), "...", "what is left out may be everything");
    assert_eq!(marks("", "b"), "b");
}

#[test]
fn a_workflows_steps_are_its_scripts() {
    let text = "steps:\n  - uses: a/b@v1\n  - name: Install it\n    run: |\n      apt-get install x\n  - name: Test\n    run: |\n      one\n      two\n  - run: three\n";
    assert_eq!(workflow(text), "one\ntwo\nthree");
}
