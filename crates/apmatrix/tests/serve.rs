//! `apmatrix serve`, from outside: who may ask, what is refused, what it survives, how it ends.

#[path = "serve/asking.rs"]
mod asking;
mod skip;
#[path = "browser/started.rs"]
mod started;
#[path = "browser/tree.rs"]
mod tree;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use asking::{PATIENCE, Server};

#[test]
fn who_is_in_the_way_is_told_by_a_refusal_and_by_why() {
    let server = Server::start(&["--machine", "default", "--operate"]);
    let mdev = "a0000000-0000-4000-8000-000000000001";
    for line in [
        "echo -4 > /sys/bus/ap/apmask",
        &format!("echo {mdev} > /sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create"),
        &format!("echo 4 > /sys/devices/vfio_ap/matrix/{mdev}/assign_adapter"),
        &format!("echo 6 > /sys/devices/vfio_ap/matrix/{mdev}/assign_domain"),
    ] {
        assert_eq!(server.operate(line).status, 200, "{line}");
    }
    let refused = server.operate("echo +4 > /sys/bus/ap/apmask");
    let text = refused.json()["text"].as_str().expect("a text").to_owned();
    assert_eq!(refused.status, 409, "{text}");
    assert!(text.contains("EBUSY") && text.contains("queue 04.0006 is assigned to mdev"), "{text}");

    let why = server.operate("why apmask +4");
    let text = why.json()["text"].as_str().expect("a text").to_owned();
    assert_eq!(why.status, 200, "{text}");
    // What it proposes can be typed as it stands.
    let lines: Vec<&str> = text.lines().skip(1).filter(|line| line.starts_with("echo ")).collect();
    assert!(!lines.is_empty(), "{text}");
    for line in lines {
        assert_eq!(server.operate(line).status, 200, "{line}");
    }
    assert_eq!(server.operate("echo +4 > /sys/bus/ap/apmask").status, 200);
    assert_eq!(server.operate("why apmask").status, 422);
    assert_eq!(server.operate("whyever").status, 422);
}

#[test]
fn the_state_is_a_document_with_a_schema() {
    let server = Server::tiny(&[]);
    let state = server.state();
    assert_eq!((&state["schema"], &state["name"]), (&json!("apmatrix.view/1"), &json!("tiny")));
    assert_eq!(state["adapters"][0]["owners"], "HH");
    let answer = server.get("/api/schema");
    let schema = answer.json();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/view.schema.json");
    if std::env::var_os("WRITE").is_some() {
        std::fs::write(path, &answer.body).expect("a file");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == answer.body, "{path} is not what is served: WRITE=1 writes it anew");
    let names: Vec<&String> = schema["properties"].as_object().expect("properties").keys().collect();
    assert_eq!(names, ["change", "detail", "found", "operate", "said", "state"]);
    // Everything that is sent is in the schema, and the other way round.
    let known = schema["$defs"]["State"]["properties"].as_object().expect("properties");
    let sent = state.as_object().expect("an object");
    assert!(sent.keys().eq(known.keys()), "{:?} {:?}", sent.keys(), known.keys());
    let why = server.get("/api/why?select=04.0006").json();
    assert_eq!(why["title"], "queue 04.0006");
    assert_eq!(server.get("/api/why?select=ff").status, 404);
    assert_eq!(server.get("/api/find?text=cex7c").json()["select"], "0a.0006");
}

#[test]
fn only_its_own_name_is_served() {
    let server = Server::tiny(&["--operate"]);
    let port = server.address.port();
    for host in ["evil.example", &format!("evil.example:{port}"), "", "127.0.0.1.evil.example", "10.0.0.1"] {
        assert_eq!(server.ask("GET", "/api/state", &[("Host", host)], "").status, 403, "{host}");
    }
    assert_eq!(server.ask("GET", "/api/state", &[("Host", &format!("localhost:{port}"))], "").status, 200);
    let two = server.ask("GET", "/api/state", &[("Host", "localhost"), ("Host", "evil.example")], "");
    assert!(two.status == 403 || two.status == 400, "{}", two.status);
}

#[test]
fn other_sites_are_refused() {
    let server = Server::tiny(&["--operate"]);
    let body = json!({ "line": "hw unplug 4" }).to_string();
    let kind = ("Content-Type", "application/json");
    for header in [("Origin", "http://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")] {
        assert_eq!(server.ask("POST", "/api/operate", &[kind, header], &body).status, 403, "{header:?}");
        assert_eq!(server.ask("GET", "/api/state", &[header], "").status, 403, "{header:?}");
    }
    // What a form of another site can send without being asked: no JSON.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        assert_eq!(
            server.ask("POST", "/api/operate", &[("Content-Type", kind)], &body).status,
            415,
            "{kind}"
        );
    }
    assert_eq!(server.ask("POST", "/api/operate", &[], &body).status, 415);
    assert_eq!(server.ask("GET", "/api/operate", &[], "").status, 405);
    assert_eq!(server.state()["adapters"][0]["there"], true, "nothing was done");
    let own = format!("http://{}", server.address);
    assert_eq!(server.ask("POST", "/api/operate", &[kind, ("Origin", &own)], &body).status, 200);
    assert_eq!(server.state()["adapters"].as_array().map(Vec::len), Some(1));
}

#[test]
fn answers_say_what_a_browser_may_do_with_them() {
    let server = Server::tiny(&[]);
    for path in ["/", "/page.js", "/page.css", "/api/state", "/nothing"] {
        let head = server.get(path).head;
        for header in [
            "content-security-policy: default-src 'none'; script-src 'self'",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.contains(header), "{path}: {header} is not in {head}");
        }
        assert!(!head.contains("access-control-allow"), "{path}: {head}");
        assert!(!head.contains("unsafe"), "{path}: {head}");
    }
}

#[test]
fn there_are_no_other_paths() {
    let server = Server::tiny(&[]);
    for path in [
        "/../etc/passwd",
        "/%2e%2e/etc/passwd",
        "/page.css/../../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/api/",
        "//",
        "/etc/passwd",
        "/page.js%00",
    ] {
        let answer = server.get(path);
        assert!(matches!(answer.status, 404 | 400), "{path}: {} {}", answer.status, answer.body);
        assert!(!answer.body.contains("root:"), "{path}");
    }
}

#[test]
fn large_and_wrong_requests_are_refused() {
    let server = Server::tiny(&["--operate"]);
    let kind = [("Content-Type", "application/json")];
    let large = format!("{{\"line\": \"{}\"}}", "x".repeat(10 * 1024 * 1024));
    let answer = server.ask("POST", "/api/operate", &kind, &large);
    // Closed while it is being sent, the answer may not be seen.
    assert!(matches!(answer.status, 413 | 0), "{}", answer.status);
    let declared = format!(
        "POST /api/operate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        10 * 1024 * 1024
    );
    assert_eq!(server.raw(&declared).status, 413);
    for body in ["{", "[]", "{\"line\": 4}", "{\"line\": \"hw\", \"more\": 1}", "\u{0}"] {
        let status = server.ask("POST", "/api/operate", &kind, body).status;
        assert!(matches!(status, 400 | 422), "{body}: {status}");
    }
    for line in ["", "rm -r /", "echo 1 > /etc/passwd", "echo 1 > /sys/../etc/passwd", "hw plug\n4"] {
        assert_eq!(server.operate(line).status, 422, "{line}");
    }
    for line in ["hw nonsense", "echo x > /sys/bus/ap/nothing", "guest start g1 nobody", "hw unplug 77"] {
        let answer = server.operate(line);
        assert_eq!((answer.status, &answer.json()["done"]), (409, &json!(false)), "{line}");
    }
    for garbage in ["\u{16}\u{3}\u{1}garbage\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        let status = server.raw(garbage).status;
        assert!(matches!(status, 400 | 0 | 505), "{status}");
    }
    let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(1024 * 1024));
    let status = server.raw(&head).status;
    assert!(matches!(status, 431 | 0), "{status}");
    assert_eq!(server.get("/api/state").status, 200);
}

#[test]
fn nothing_is_operated_without_leave() {
    let server = Server::tiny(&[]);
    let before = server.state();
    for line in ["hw unplug 4", "echo -4 > /sys/bus/ap/apmask", "guest list"] {
        assert_eq!(server.operate(line).status, 403, "{line}");
    }
    assert_eq!(server.state(), before);
    assert_eq!(before["operable"], false);
}

#[test]
fn only_this_machine_may_look() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_apmatrix"));
        let output = command.args(["serve", "--machine", "tiny", "--listen"]).args(arguments).output();
        let output = output.expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for address in ["0.0.0.0:0", "[::]:0"] {
        let (status, said) = run(&[address]);
        assert_eq!(status, Some(2), "{said}");
        assert!(
            said.contains("can be reached from other machines") && said.contains("--allow-remote"),
            "{said}"
        );
    }
    let server = Server::tiny(&[]);
    assert!(server.address.ip().is_loopback());
    let open = Server::tiny(&["--listen", "0.0.0.0:0", "--allow-remote"]);
    let local = SocketAddr::from(([127, 0, 0, 1], open.address.port()));
    let mut stream = TcpStream::connect(local).expect("it listens");
    stream
        .write_all(b"GET /api/state HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    assert!(text.starts_with("HTTP/1.1 403"), "names are not served to others either: {text}");
}

/// The events of a server, as far as they are read.
struct Events(BufReader<TcpStream>);

impl Events {
    fn of(server: &Server) -> Events {
        let mut stream = server.connect();
        let request = format!("GET /api/events HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
        stream.write_all(request.as_bytes()).expect("sent");
        Events(BufReader::new(stream))
    }

    fn next(&mut self) -> (String, Value) {
        let mut kind = String::new();
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).expect("a line") > 0, "the events end");
            if let Some(name) = line.strip_prefix("event: ") {
                kind = name.trim().to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                return (kind, serde_json::from_str(data.trim()).expect("JSON"));
            }
        }
    }
}

#[test]
fn two_who_watch_see_the_same() {
    let server = Server::tiny(&["--operate"]);
    let mut both = [Events::of(&server), Events::of(&server)];
    for events in &mut both {
        let (kind, state) = events.next();
        assert_eq!((kind.as_str(), &state["adapters"][0]["owners"]), ("state", &json!("HH")));
    }
    assert_eq!(server.operate("echo -4 > /sys/bus/ap/apmask").status, 200);
    for events in &mut both {
        let change = loop {
            let (kind, change) = events.next();
            assert_eq!((kind.as_str(), &change["schema"]), ("change", &json!("apmatrix.view-change/1")));
            if change["adapters"][0]["owners"] == "FF" {
                break change;
            }
        };
        assert_eq!(change["adapters"].as_array().map(Vec::len), Some(1), "only what changed: {change}");
    }
    assert_eq!(server.operate("hw plug 20").status, 200);
    for events in &mut both {
        while events.next().0 != "state" {}
    }
}

#[test]
fn a_thousand_slow_clients_are_survived() {
    let server = Server::tiny(&["--operate", "--patience", "5"]);
    let mut slow = Vec::new();
    let begun = Instant::now();
    while slow.len() < 1000 {
        let Ok(mut stream) = TcpStream::connect_timeout(&server.address, Duration::from_secs(5)) else {
            break;
        };
        // A head that never ends; every fourth watches and never reads.
        let request = if slow.len() % 4 == 0 {
            format!("GET /api/events HTTP/1.1\r\nHost: {}\r\n\r\n", server.address)
        } else {
            "GET / HTTP/1.1\r\nHost: loc".to_owned()
        };
        let _ = stream.write_all(request.as_bytes());
        slow.push(stream);
        assert!(begun.elapsed() < PATIENCE, "only {} clients could connect", slow.len());
    }
    // This process may have no more than a thousand files open; what matters is that there are many more than places.
    assert!(slow.len() > 700, "{} clients", slow.len());
    // Those who do not send their head lose their place after a while, and others are served.
    let served = loop {
        let answer = server.operate("hw advance 1");
        if answer.status == 200 || begun.elapsed() > PATIENCE {
            break answer.status;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(served, 200);
    for number in 0..100 {
        let line =
            if number % 2 == 0 { "echo -4 > /sys/bus/ap/apmask" } else { "echo +4 > /sys/bus/ap/apmask" };
        assert_eq!(server.operate(line).status, 200, "nobody who reads slowly holds it up");
    }
}

/// Whoever sends requests and never reads the answers loses its place.
#[test]
fn those_who_never_read_do_not_keep_their_places() {
    let server = Server::tiny(&["--patience", "1"]);
    let page = format!("GET /page.js HTTP/1.1\r\nHost: {}\r\n\r\n", server.address).repeat(100);
    let begun = Instant::now();
    let mut held = Vec::new();
    while held.len() < 700 {
        let Ok(mut stream) = TcpStream::connect_timeout(&server.address, Duration::from_secs(5)) else {
            continue;
        };
        stream.set_nonblocking(true).expect("it can be");
        let _ = stream.write(page.as_bytes());
        held.push(stream);
        assert!(begun.elapsed() < PATIENCE, "only {} clients could connect", held.len());
    }
    // With that many there is no place left, unless some of them have lost theirs.
    while server.get("/api/state").status != 200 {
        assert!(begun.elapsed() < PATIENCE, "those who never read have all the places");
        std::thread::sleep(Duration::from_millis(200));
    }
    drop(held);
}

/// There is a place for one more who watches, also after many who went silent.
#[test]
fn one_more_can_always_watch() {
    let server = Server::tiny(&["--operate"]);
    let mut silent = Vec::new();
    for _ in 0..300 {
        let mut watching = Events::of(&server);
        assert_eq!(watching.next().0, "state");
        silent.push(watching);
    }
    let mut one_more = Events::of(&server);
    assert_eq!(one_more.next().0, "state");
    assert_eq!(server.operate("echo -4 > /sys/bus/ap/apmask").status, 200);
    assert_eq!(one_more.next().0, "change");
    // The first ones gave way: their events have ended.
    let mut rest = String::new();
    silent[0].0.read_to_string(&mut rest).expect("it is closed in order");
    assert!(!rest.contains("event: change"), "{rest}");
    assert_eq!(silent[299].next().0, "change");
}

/// A write that waits for a guest is answered, and the page can let the guest go.
#[test]
fn a_write_that_waits_is_answered_and_can_be_let_go() {
    let mdev = "a0000001-0000-4000-8000-000000000001";
    let matrix = "/sys/devices/vfio_ap/matrix";
    let script = format!(
        "echo {mdev} > {matrix}/mdev_supported_types/vfio_ap-passthrough/create\n\
         echo start g1 {mdev} > /sys/kernel/debug/apmatrix/guests\n\
         {binary} serve --operate & server=$!\nread end\nkill $server\nwait $server",
        binary = env!("CARGO_BIN_EXE_apmatrix")
    );
    // With device events a run has a network of its own, which this test could not reach.
    let mut command = Command::new(env!("CARGO_BIN_EXE_apmatrix"));
    command
        .args(["run", "--no-uevents", "--machine", "tiny", "--", "sh", "-c", &script])
        .stdin(Stdio::piped());
    let probe = Command::new(env!("CARGO_BIN_EXE_apmatrix"))
        .args(["run", "--machine", "tiny", "--", "true"])
        .output()
        .expect("it starts");
    if !probe.status.success() {
        let why = String::from_utf8_lossy(&probe.stderr);
        return skip::skip("a_write_that_waits_is_answered_and_can_be_let_go", why);
    }
    let (child, address) = started::listening(command);
    let mut server = Server { child, address };
    let mut events = Events::of(&server);
    assert_eq!(events.next().1["mdevs"][0]["holder"], "guest g1");
    let remove = server.operate(&format!("echo 1 > {matrix}/{mdev}/remove"));
    assert_eq!(remove.status, 202, "{}", remove.body);
    assert_eq!(remove.json()["text"], "waits: the write has not returned yet");
    let second = server.operate("echo -4 > /sys/bus/ap/apmask");
    assert_eq!(second.status, 409, "{}", second.body);
    assert!(second.body.contains("not begun"), "{}", second.body);
    assert_eq!(server.operate("hw checkstop 4").status, 200, "the machine's operator is another one");
    assert_eq!(server.operate("guest stop g1").status, 200);
    let line = format!("echo 1 > {matrix}/{mdev}/remove: has returned, done");
    loop {
        let (_, told) = events.next();
        let lines = told["events"].as_array().cloned().unwrap_or_default();
        if lines.iter().any(|event| event["text"] == line.as_str()) {
            break;
        }
    }
    assert_eq!(server.state()["mdevs"], json!([]));
    assert_eq!(server.operate("echo -4 > /sys/bus/ap/apmask").status, 200);
    assert_eq!(server.state()["adapters"][0]["owners"], "FF", "what is shown after a write has it");
    drop(events);
    drop(server.child.stdin.take());
    assert!(server.child.wait().expect("it ends").success());
}

#[test]
fn a_signal_ends_it_at_once_whoever_watches() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::tiny(&[]);
        let mut watching = Events::of(&server);
        assert_eq!(watching.next().0, "state");
        let _idle = server.connect();
        let pid = Pid::from_raw(i32::try_from(server.child.id()).expect("small")).expect("a process");
        kill_process(pid, signal).expect("it is there");
        let status = server.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0), "{signal:?}: {status}");
    }
}

/// A tree of files that is not an emulated machine's, with everything that can be seen.
fn recorded() -> tempfile::TempDir {
    let machine = include_str!("../../ap-view/tests/data/every.toml");
    let machine = ap_files::MachineFile::parse("every.toml", machine).expect("a machine");
    let mut session = ap_files::boot(&machine).expect("it boots");
    let directory = tempfile::tempdir().expect("a directory");
    tree::write(&mut session, directory.path());
    std::fs::remove_dir_all(directory.path().join("kernel")).expect("it was there");
    directory
}

/// The calls of a trace that open something for writing, but for terminals and the like.
fn writes(trace: &str) -> Vec<&str> {
    let lines = trace.lines().filter(|line| !line.contains("\"/dev/") && !line.contains(" ENOENT "));
    lines
        .filter(|line| {
            ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "creat("].iter().any(|word| line.contains(word))
        })
        .collect()
}

#[test]
fn a_trace_that_opens_for_writing_is_seen() {
    let lines = "openat(AT_FDCWD, \"/x/apmask\", O_WRONLY|O_CLOEXEC) = 3\n\
                 openat(AT_FDCWD, \"/x/apmask\", O_RDONLY|O_CLOEXEC) = 3\n\
                 openat(AT_FDCWD, \"/dev/tty\", O_RDWR|O_CLOEXEC) = 3\n";
    assert_eq!(writes(lines).len(), 1);
}

#[test]
fn a_real_host_is_only_read() {
    if Command::new("strace").arg("-V").output().is_err() {
        return skip::skip("a_real_host_is_only_read", "there is no strace");
    }
    let tree = recorded();
    let root = tree.path().to_str().expect("a name");
    let trace = tree.path().with_extension("trace");
    let out = trace.to_str().expect("a name");
    let binary = env!("CARGO_BIN_EXE_apmatrix");
    let calls = ["-D", "-f", "-qq", "-o", out, "-e", "trace=open,openat,openat2,creat"];
    // With -D it is the program itself that is the child, and ended.
    // The page: looked at, and asked to write.
    let mut child = Command::new("strace")
        .args(calls)
        .args([binary, "serve", "--operate", "--root", root])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("its address");
    let address =
        line.trim().trim_start_matches("http://").trim_end_matches('/').parse().expect("an address");
    let server = Server { child, address };
    let state = server.state();
    assert_eq!((&state["operable"], &state["adapters"][0]["owners"]), (&json!(false), &json!("HHH")));
    assert_eq!(server.get("/api/why?select=0a.0006").status, 200);
    for line in ["echo -4 > /sys/bus/ap/apmask", "hw unplug 4", "guest list"] {
        assert_eq!(server.operate(line).status, 403, "{line}");
    }
    // It polls: what changes in the files is seen.
    let mut events = Events::of(&server);
    assert_eq!(events.next().0, "state");
    std::fs::write(tree.path().join("devices/ap/card04/04.0006/online"), "0\n").expect("a file");
    while events.next().1["adapters"][0]["marks"] != "o  " {}
    let read = std::fs::read_to_string(&trace).expect("a trace");
    assert!(read.contains("apmask\", O_RDONLY"), "it was read");
    assert!(writes(&read).is_empty(), "{:#?}", writes(&read));
    drop(server);
    // The terminal, if there is a program that makes one.
    if Command::new("script").arg("-V").output().is_err() {
        return skip::skip("a_real_host_is_only_read, in the terminal", "there is no `script`");
    }
    let view = format!("stty rows 24 cols 100; exec strace {} {binary} view --root {root}", calls.join(" "));
    let mut child = Command::new("script")
        .args(["-qec", &view, "/dev/null"])
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut screen = String::new();
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut keys = child.stdin.take().expect("a pipe");
    while !screen.contains("CEX8P") {
        let mut some = [0_u8; 4096];
        let count = stdout.read(&mut some).expect("output");
        assert!(count > 0, "it ended: {screen}");
        screen.push_str(&String::from_utf8_lossy(&some[..count]));
    }
    // To unplug is refused, and the end.
    keys.write_all(b"u1:hw unplug 4\rq").expect("keys");
    drop(keys);
    let mut rest = String::new();
    let _ = stdout.read_to_string(&mut rest);
    assert!(child.wait().expect("it ends").success(), "{screen}{rest}");
    let read = std::fs::read_to_string(&trace).expect("a trace");
    assert!(read.contains("apmask\", O_RDONLY"), "it was read");
    assert!(writes(&read).is_empty(), "{:#?}", writes(&read));
    std::fs::remove_file(&trace).expect("it was there");
}
