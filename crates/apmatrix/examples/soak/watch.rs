//! Watches server and load from outside, and judges.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::load::Beat;
use crate::sample::{Sample, growth, kernel_inodes, sample};
use crate::{Options, arguments};

/// Between two looks at the server; the load says as often how it is.
pub const TICK: Duration = Duration::from_secs(2);
/// So many ticks without a word of the load, or in one call, are a call that hangs.
const PATIENCE: u32 = 30;
const A_MINUTE: u32 = 30;

/// Runs the whole thing; 1 if something was wrong.
pub fn run(options: &Options) -> ExitCode {
    let mut server = Command::new(std::env::current_exe().expect("our own path"));
    server.args(arguments("serve", options)).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut server = server.spawn().expect("the server starts");
    let beats = listen(&mut server);
    let wrong = watch(options, &server, &beats);
    // SIGTERM goes on to the load; whatever still stands after it is a matter for SIGKILL and the server's guard.
    let pid = rustix::process::Pid::from_child(&server);
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    let asked = Instant::now();
    while server.try_wait().is_ok_and(|status| status.is_none()) {
        if asked.elapsed() > TICK * PATIENCE {
            println!("WRONG: the server does not end");
            let _ = server.kill();
            let _ = server.wait();
            return ExitCode::from(1);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    if wrong.is_empty() {
        println!("verdict: steady, nothing unexpected");
        return ExitCode::SUCCESS;
    }
    for what in &wrong {
        println!("WRONG: {what}");
    }
    ExitCode::from(1)
}

/// What the load says, as it comes.
fn listen(server: &mut Child) -> Receiver<Beat> {
    let lines = BufReader::new(server.stdout.take().expect("its output")).lines();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            match Beat::parse(&line) {
                Some(beat) if tell.send(beat).is_err() => break,
                Some(_) => {}
                None => println!("  {line}"),
            }
        }
    });
    told
}

/// Watches until the time is over or something is wrong. Time in which this program itself was stopped counts for
/// nothing: ticks are counted, not seconds.
fn watch(options: &Options, server: &Child, beats: &Receiver<Beat>) -> Vec<String> {
    let ticks = ((options.minutes * f64::from(A_MINUTE)).ceil() as u32).max(8);
    println!(
        "machine {}, {} operations a second, {:.1} minutes; the server is process {}",
        options.machine,
        options.rate,
        options.minutes,
        server.id()
    );
    println!("minute  RSS kB  files  threads  CPU %  operations  uevents  errors  fuse inodes of the kernel");
    let (mut samples, mut beat, mut silent) = (Vec::new(), Beat::default(), 0);
    let mut minute = (Instant::now(), 0);
    for tick in 1..=ticks {
        let end = Instant::now() + TICK;
        loop {
            match beats.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(told) => (beat, silent) = (told, 0),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return vec!["the load ended by itself".to_owned()],
            }
        }
        silent += 1;
        if silent > PATIENCE || beat.stuck > PATIENCE {
            return vec![format!("a call hangs: {beat:?}, {silent} ticks without a word")];
        }
        let Some(now) = sample(server.id()) else { return vec!["the server is gone".to_owned()] };
        samples.push(now);
        if tick % A_MINUTE == 0 || tick == ticks {
            let used = (now.ticks - minute.1) as f64 / minute.0.elapsed().as_secs_f64();
            minute = (Instant::now(), now.ticks);
            report(tick, now, used, beat);
        }
    }
    let mut wrong = growth(&samples);
    if beat.errors > 0 {
        wrong.push(format!("{} operations had another end than they should", beat.errors));
    }
    if beat.operations == 0 {
        wrong.push("nothing was done".to_owned());
    }
    wrong
}

fn report(tick: u32, now: Sample, used: f64, beat: Beat) {
    let inodes = kernel_inodes().map_or("-".to_owned(), |count| count.to_string());
    println!(
        "{:6.1} {:7} {:6} {:8} {used:6.1} {:11} {:8} {:7}  {inodes}",
        f64::from(tick) / f64::from(A_MINUTE),
        now.resident,
        now.files,
        now.threads,
        beat.operations,
        beat.uevents,
        beat.errors
    );
}
