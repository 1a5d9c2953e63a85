//! An apply that is killed at any of its calls, a recovery that is killed at any of its own, full and read-only disks, a
//! tree that vanishes, two applies, a lock that is held or stale.

mod support;

use ap_apply::apply::{Options, Outcome, apply, recover, revert};
use ap_apply::error::ApplyError;
use ap_apply::import::Imported;
use ap_apply::lock::LockError;
use ap_apply::memory::MemoryDesk;
use ap_apply::report::Report;
use ap_apply::tree::{Desk, Kind};
use ap_files::boot;
use ap_files::desired::DesiredFile;
use ap_plan::{Allow, Plan, State, Target, plan};
use ap_sysfs::{Errno, Session};
use support::{Life, Mortal, machine, read, settle};

/// A host on which a plan has every kind of step: both masks, an mdev made, one removed, two that exchange adapters, one
/// with a running guest.
fn host() -> Session {
    let mut machine = machine("default");
    let text = "schema = \"apmatrix.desired/1\"\n[host]\napmask = \"-0,-1,-2,-3,-4\"\n\
        [[mdev]]\nuuid = \"01010101-0101-0101-0101-010101010101\"\nadapters = 0\ndomains = [4, 6]\n\
        [[mdev]]\nuuid = \"02020202-0202-0202-0202-020202020202\"\nadapters = 1\ndomains = [4, 6]\n\
        [[mdev]]\nuuid = \"03030303-0303-0303-0303-030303030303\"\nadapters = 2\ndomains = [4, 6]\n\
        [[mdev]]\nuuid = \"04040404-0404-0404-0404-040404040404\"\nadapters = 3\ndomains = 4\n";
    let file = DesiredFile::parse("start.toml", text).expect("it is right");
    machine.apmask = file.apmask.expect("it says one").resolve(machine.apmask);
    machine.mdevs = file
        .mdevs
        .iter()
        .map(|mdev| ap_files::machine::Mdev {
            uuid: mdev.uuid,
            matrix: mdev.matrix,
            control_by_default: false,
        })
        .collect();
    let mut session = boot(&machine).expect("it boots");
    // A queue that somebody has unbound: any mask write binds it, and taking that back unbinds it again.
    ap_apply::tree::Tree::write(&mut session, "bus/ap/drivers/cex4queue/unbind", "07.0004")
        .expect("it is bound");
    session.guest("start g4 04040404-0404-0404-0404-040404040404").expect("it starts");
    settle(&mut session);
    session
}

fn wish() -> DesiredFile {
    let text = "schema = \"apmatrix.desired/1\"\nunlisted = \"remove\"\n[host]\napmask = \"+4,-5\"\naqmask = \"-71\"\n\
        [[mdev]]\nuuid = \"01010101-0101-0101-0101-010101010101\"\nadapters = 1\ndomains = [4, 6]\n\
        [[mdev]]\nuuid = \"02020202-0202-0202-0202-020202020202\"\nadapters = 0\ndomains = [4, 6]\n\
        [[mdev]]\nuuid = \"04040404-0404-0404-0404-040404040404\"\nadapters = [3, 5]\ndomains = [4, 6]\n\
        [[mdev]]\nuuid = \"05050505-0505-0505-0505-050505050505\"\nadapters = [2]\ndomains = [4, 6]\n";
    DesiredFile::parse("wish.toml", text).expect("it is right")
}

fn planned(before: &Imported) -> Plan {
    let target = Target::of(&before.state, &wish());
    plan(&before.state, &target, &Allow::default()).unwrap_or_else(|why| panic!("{why}"))
}

/// The same to a plan: no kill may leave anything else.
fn facts(state: &State) -> std::collections::BTreeMap<String, String> {
    state.facts()
}

struct Ends {
    before: std::collections::BTreeMap<String, String>,
    after: std::collections::BTreeMap<String, String>,
}

impl Ends {
    fn of(plan: &Plan) -> Ends {
        Ends { before: facts(&plan.before), after: facts(&plan.after) }
    }

    fn is_one_of_them(&self, host: &mut Session, outcome: &Outcome, context: &str) {
        settle(host);
        let now = facts(&read(host).state);
        match outcome {
            Outcome::After { .. } => assert_eq!(now, self.after, "{context}"),
            Outcome::Before { .. } => assert_eq!(now, self.before, "{context}"),
            // Killed before there was a journal, or after everything had ended.
            Outcome::Nothing => assert!(now == self.before || now == self.after, "{context}"),
            Outcome::Stopped(stop) => panic!("{context}: {stop:?}"),
        }
    }
}

/// Applies, and kills the process at that call. How many calls it made, and what is left.
fn killed_apply(calls: u64) -> (u64, Session, MemoryDesk, Ends, Option<Outcome>) {
    let mut host = host();
    let plan = planned(&read(&mut host));
    let ends = Ends::of(&plan);
    let mut desk = MemoryDesk::new(100);
    let life = Life::of(calls);
    let outcome = {
        let mut same_desk = desk.other(100);
        let (mut tree, mut desk) = (Mortal::new(&mut host, &life), Mortal::new(&mut same_desk, &life));
        apply(&mut tree, &mut desk, &plan, &Options::default(), &mut |_| {}).ok()
    };
    desk.dies();
    desk = desk.other(101);
    (life.calls(), host, desk, ends, outcome)
}

#[test]
fn a_plan_that_is_killed_at_any_call_ends_before_or_after() {
    let (calls, mut host, mut desk, ends, outcome) = killed_apply(u64::MAX);
    assert_eq!(outcome, Some(Outcome::After { confirm_by: None }));
    ends.is_one_of_them(&mut host, &Outcome::After { confirm_by: None }, "not killed");
    assert_eq!(
        recover(&mut host, &mut desk, &Options::default(), &mut |_| {}).expect("nothing"),
        Outcome::Nothing
    );
    let (mut before, mut after, mut nothing) = (0, 0, 0);
    for at in 1..=calls {
        let (_, mut host, mut desk, ends, _) = killed_apply(at);
        let outcome = recover(&mut host, &mut desk, &Options::default(), &mut |_| {});
        let outcome = outcome.unwrap_or_else(|error| panic!("killed at call {at}: {error}"));
        ends.is_one_of_them(&mut host, &outcome, &format!("killed at call {at}"));
        match outcome {
            Outcome::Before { .. } => before += 1,
            Outcome::After { .. } => after += 1,
            _ => nothing += 1,
        }
        assert_eq!(desk.paper().lock, None, "killed at call {at}: the lock is given up");
        let again = recover(&mut host, &mut desk, &Options::default(), &mut |_| {}).expect("nothing");
        assert_eq!(again, Outcome::Nothing, "killed at call {at}: it has ended");
    }
    println!(
        "killed at each of {calls} calls: {before} × before, {after} × after, {nothing} × nothing to recover"
    );
    assert!(before > 50 && after > 0, "{before} {after}");
}

#[test]
fn a_recovery_that_is_killed_at_any_call_ends_before_or_after() {
    // In the middle of the plan's steps: the most to take back.
    let (calls, ..) = killed_apply(u64::MAX);
    let mut kills = 0;
    for apply_at in [calls / 2, calls * 3 / 4, calls * 7 / 8, calls - 40] {
        let mut at = 1;
        loop {
            let (_, mut host, desk, ends, _) = killed_apply(apply_at);
            let life = Life::of(at);
            {
                let mut same_desk = desk.other(101);
                let (mut tree, mut desk) =
                    (Mortal::new(&mut host, &life), Mortal::new(&mut same_desk, &life));
                let _ = recover(&mut tree, &mut desk, &Options::default(), &mut |_| {});
            }
            desk.dies();
            let mut desk = desk.other(102);
            let outcome =
                recover(&mut host, &mut desk, &Options::default(), &mut |_| {}).expect("it can be read");
            ends.is_one_of_them(&mut host, &outcome, &format!("killed at {apply_at}, the recovery at {at}"));
            if life.calls() < at {
                break;
            }
            kills += 1;
            at += 1;
        }
    }
    println!("recoveries killed at {kills} calls");
    assert!(kills > 50);
}

#[test]
fn a_revert_that_is_killed_at_any_call_ends_before() {
    let mut at = 1;
    loop {
        let (_, mut host, desk, ends, _) = killed_apply(u64::MAX);
        let life = Life::of(at);
        {
            let mut same_desk = desk.other(103);
            let (mut tree, mut desk) = (Mortal::new(&mut host, &life), Mortal::new(&mut same_desk, &life));
            let _ = revert(&mut tree, &mut desk, &Options::default(), &mut |_| {});
        }
        desk.other(103).dies();
        let mut desk = desk.other(104);
        let outcome =
            recover(&mut host, &mut desk, &Options::default(), &mut |_| {}).expect("it can be read");
        ends.is_one_of_them(&mut host, &outcome, &format!("the revert was killed at {at}"));
        if life.calls() < at {
            break;
        }
        at += 1;
    }
    println!("reverts killed at {} calls", at - 1);
}

/// Applies on a desk whose disk fills up, or turns read-only, after so many writes to the journal.
struct FillsUp {
    inner: MemoryDesk,
    left: usize,
    errno: Errno,
}

impl Desk for FillsUp {
    fn take_lock(&mut self) -> Result<(), ap_apply::tree::Fault> {
        self.inner.take_lock()
    }
    fn lock_text(&mut self) -> Result<String, ap_apply::tree::Fault> {
        self.inner.lock_text()
    }
    fn drop_lock(&mut self) -> Result<(), ap_apply::tree::Fault> {
        self.inner.drop_lock()
    }
    fn lives(&mut self, pid: u32) -> bool {
        self.inner.lives(pid)
    }
    fn pid(&self) -> u32 {
        self.inner.pid()
    }
    fn journal(&mut self) -> Result<String, ap_apply::tree::Fault> {
        self.inner.journal()
    }
    fn append(&mut self, line: &str) -> Result<(), ap_apply::tree::Fault> {
        self.room(line).and_then(|()| self.inner.append(line))
    }
    fn begin(&mut self, line: &str) -> Result<(), ap_apply::tree::Fault> {
        self.room("").and_then(|()| self.inner.begin(line))
    }
    fn now(&mut self) -> u64 {
        self.inner.now()
    }
    fn sleep(&mut self, milliseconds: u64) {
        self.inner.sleep(milliseconds);
    }
}

impl FillsUp {
    fn room(&mut self, line: &str) -> Result<(), ap_apply::tree::Fault> {
        if self.left == 0 {
            // Half of the line was still written.
            self.inner.paper().journal += &line[..line.len() / 2];
            return Err(ap_apply::tree::Fault::of("journal", self.errno));
        }
        self.left -= 1;
        Ok(())
    }
}

#[test]
fn a_disk_that_fills_up_or_is_read_only_takes_everything_back() {
    for errno in [Errno::ENOSPC, Errno::EROFS] {
        let mut left = 0;
        loop {
            let mut host = host();
            let plan = planned(&read(&mut host));
            let ends = Ends::of(&plan);
            let mut desk = FillsUp { inner: MemoryDesk::new(7), left, errno };
            let outcome = apply(&mut host, &mut desk, &plan, &Options::default(), &mut |_| {});
            match outcome {
                Err(ApplyError::Desk(fault)) => {
                    assert_eq!((left, fault.name.as_str()), (0, errno.name()));
                    ends.is_one_of_them(
                        &mut host,
                        &Outcome::Before { why: String::new(), lacking: Vec::new() },
                        "no journal",
                    );
                }
                Ok(outcome) => {
                    ends.is_one_of_them(&mut host, &outcome, &format!("room for {left}"));
                    let mut desk = FillsUp { inner: desk.inner.clone(), left: usize::MAX, errno };
                    let recovered =
                        recover(&mut host, &mut desk, &Options::default(), &mut |_| {}).expect("it can");
                    ends.is_one_of_them(&mut host, &recovered, &format!("room for {left}, recovered"));
                }
                Err(error) => panic!("{error}"),
            }
            if desk.left > 0 {
                break;
            }
            left += 1;
        }
        println!("{}: after each of {left} writes to the journal", errno.name());
    }
}

#[test]
fn a_tree_that_may_not_be_written_is_left_alone() {
    struct ReadOnly(Session, Errno);
    impl ap_apply::tree::Tree for ReadOnly {
        fn read(&mut self, path: &str) -> Result<String, ap_apply::tree::Fault> {
            ap_apply::tree::Tree::read(&mut self.0, path)
        }
        fn write(&mut self, path: &str, _: &str) -> Result<(), ap_apply::tree::Fault> {
            Err(ap_apply::tree::Fault::of(path, self.1))
        }
        fn list(&mut self, path: &str) -> Result<Vec<String>, ap_apply::tree::Fault> {
            ap_apply::tree::Tree::list(&mut self.0, path)
        }
        fn link(&mut self, path: &str) -> Result<String, ap_apply::tree::Fault> {
            ap_apply::tree::Tree::link(&mut self.0, path)
        }
        fn openers(&mut self, _: &str) -> Vec<ap_apply::tree::Opener> {
            Vec::new()
        }
        fn sleep(&mut self, _: u64) {}
    }
    for errno in [Errno::EROFS, Errno::EACCES] {
        let mut tree = ReadOnly(host(), errno);
        let plan = planned(&read(&mut tree.0));
        let mut desk = MemoryDesk::new(7);
        let error =
            apply(&mut tree, &mut desk, &plan, &Options::default(), &mut |_| {}).expect_err("it may not");
        assert!(matches!(error, ApplyError::Denied(fault) if fault.kind == Kind::Denied));
        assert_eq!(
            recover(&mut tree, &mut desk, &Options::default(), &mut |_| {}).expect("nothing"),
            Outcome::Nothing
        );
        Ends::of(&plan).is_one_of_them(
            &mut tree.0,
            &Outcome::Before { why: String::new(), lacking: Vec::new() },
            "read-only",
        );
    }
}

#[test]
fn a_tree_that_vanishes_stops_and_is_recovered_when_it_is_there_again() {
    struct Vanishing<'a>(&'a mut Session, usize);
    impl Vanishing<'_> {
        fn there(&mut self, path: &str) -> Result<(), ap_apply::tree::Fault> {
            if self.1 == 0 {
                return Err(ap_apply::tree::Fault::of(path, Errno::ENOENT));
            }
            self.1 -= 1;
            Ok(())
        }
    }
    impl ap_apply::tree::Tree for Vanishing<'_> {
        fn read(&mut self, path: &str) -> Result<String, ap_apply::tree::Fault> {
            self.there(path).and_then(|()| ap_apply::tree::Tree::read(self.0, path))
        }
        fn write(&mut self, path: &str, text: &str) -> Result<(), ap_apply::tree::Fault> {
            self.there(path).and_then(|()| ap_apply::tree::Tree::write(self.0, path, text))
        }
        fn list(&mut self, path: &str) -> Result<Vec<String>, ap_apply::tree::Fault> {
            self.there(path).and_then(|()| ap_apply::tree::Tree::list(self.0, path))
        }
        fn link(&mut self, path: &str) -> Result<String, ap_apply::tree::Fault> {
            self.there(path).and_then(|()| ap_apply::tree::Tree::link(self.0, path))
        }
        fn openers(&mut self, _: &str) -> Vec<ap_apply::tree::Opener> {
            Vec::new()
        }
        fn sleep(&mut self, milliseconds: u64) {
            ap_apply::tree::Tree::sleep(self.0, milliseconds);
        }
    }
    let (calls, ..) = killed_apply(u64::MAX);
    let (mut stops, mut rounds) = (0, 0);
    for left in (0..calls as usize).step_by(7) {
        let mut host = host();
        let plan = planned(&read(&mut host));
        let mut desk = MemoryDesk::new(7);
        let outcome =
            apply(&mut Vanishing(&mut host, left), &mut desk, &plan, &Options::default(), &mut |_| {});
        if let Ok(Outcome::Stopped(stop)) = &outcome {
            assert!(stop.go_on.contains("apmatrix recover"), "{stop:?}");
            assert!(!stop.in_effect.is_empty(), "{stop:?}");
            stops += 1;
        }
        let recovered =
            recover(&mut host, &mut desk, &Options::default(), &mut |_| {}).expect("it is there again");
        Ends::of(&plan).is_one_of_them(&mut host, &recovered, &format!("vanished after {left} calls"));
        rounds += 1;
    }
    println!("vanished {rounds} times: {stops} stops, all recovered");
    assert!(stops > 0);
}

#[test]
fn two_applies_do_not_meet() {
    let mut host = host();
    let plan = planned(&read(&mut host));
    let mut first = MemoryDesk::new(1);
    let mut second = first.other(2);
    first.take_lock().expect("it is free");
    let mut said = Vec::new();
    let error =
        apply(&mut host, &mut second, &plan, &Options { wait: 2, ..Options::default() }, &mut |report| {
            said.push(format!("{report:?}"));
        });
    let error = error.expect_err("the lock is held");
    assert_eq!(
        error.to_string(),
        "another tool changes crypto devices: its lock is held by process 1, and was not given up in 2 s"
    );
    assert!(matches!(error, ApplyError::Lock(LockError::Held { .. })));
    assert_eq!(said, [r#"WaitsForLock("1", 2)"#]);
    first.drop_lock().expect("it was taken");
    let outcome = apply(&mut host, &mut second, &plan, &Options::default(), &mut |_| {}).expect("it is free");
    assert_eq!(outcome, Outcome::After { confirm_by: None });
    // The same plan once more is stale: the host is another one by now.
    let error =
        apply(&mut host, &mut first, &plan, &Options::default(), &mut |_| {}).expect_err("it is stale");
    let ApplyError::Stale(changed) = &error else { panic!("{error}") };
    assert!(
        changed.iter().any(|line| line.starts_with("mdev 05050505-0505-0505-0505-050505050505 has come"))
    );
}

#[test]
fn a_lock_whose_owner_is_gone_is_taken_and_one_without_number_waited_for() {
    let mut desk = MemoryDesk::new(1);
    desk.paper().lock = Some("4711\n".to_owned());
    let mut said = Vec::new();
    ap_apply::lock::take(&mut desk, 0, &mut |report| said.push(format!("{report:?}")))
        .expect("its owner is gone");
    assert_eq!(said, [r#"StaleLock("4711")"#]);
    assert_eq!(desk.paper().lock.as_deref(), Some("1"));
    // Just made by somebody who has not written his number yet.
    desk.paper().lock = Some(String::new());
    let error = ap_apply::lock::take(&mut desk, 2, &mut |_: Report<'_>| {}).expect_err("it is held");
    assert!(matches!(error, LockError::Held { .. }));
    // And who never does is gone, too.
    ap_apply::lock::take(&mut desk, 20, &mut |_: Report<'_>| {}).expect("nobody writes there any more");
}

#[test]
fn what_is_not_confirmed_is_taken_back() {
    let mut host = host();
    let plan = planned(&read(&mut host));
    let ends = Ends::of(&plan);
    let mut desk = MemoryDesk::new(1);
    let options = Options { confirm: Some(60), ..Options::default() };
    let outcome = apply(&mut host, &mut desk, &plan, &options, &mut |_| {}).expect("it is applied");
    assert_eq!(outcome, Outcome::After { confirm_by: Some(1_000_060) });
    let error = apply(&mut host, &mut desk, &plan, &options, &mut |_| {}).expect_err("one at a time");
    assert!(matches!(error, ApplyError::Unconfirmed(_)), "{error}");
    // Too early to take back, and too late.
    assert_eq!(recover(&mut host, &mut desk, &options, &mut |_| {}).expect("it waits"), outcome);
    desk.paper().now += 61;
    let error = ap_apply::apply::confirm(&mut desk, &options, &mut |_| {}).expect_err("it is taken back");
    assert_eq!(
        error.to_string(),
        "it is too late to confirm: the time of the last apply (1000000-1) was over 1 s ago, and it is taken back now"
    );
    let outcome = recover(&mut host, &mut desk, &options, &mut |_| {}).expect("it is taken back");
    assert_eq!(
        outcome,
        Outcome::Before { why: "it was not confirmed in time".to_owned(), lacking: Vec::new() }
    );
    ends.is_one_of_them(&mut host, &outcome, "not confirmed");
    // Whoever comes later is told when, and that nothing is in force.
    desk.paper().now += 300;
    let said = |what: &str| {
        format!(
            "there is nothing to {what}: the last apply (1000000-1) was taken back 5 min ago, since it was not confirmed \
             in time; nothing of it is in force"
        )
    };
    let error = ap_apply::apply::confirm(&mut desk, &options, &mut |_| {}).expect_err("it is over");
    assert_eq!(error.to_string(), said("confirm"));
    let error = revert(&mut host, &mut desk, &options, &mut |_| {}).expect_err("it is over");
    assert_eq!(error.to_string(), said("revert"));
    let mut told = Vec::new();
    let outcome = recover(&mut host, &mut desk, &options, &mut |report| {
        if let Report::Ended(text) = report {
            told.push(text.to_owned());
        }
    });
    assert_eq!((outcome.expect("nothing"), told), (Outcome::Nothing, vec![said("recover")]));
    // Confirmed, it stays.
    let plan = planned(&read(&mut host));
    apply(&mut host, &mut desk, &plan, &options, &mut |_| {}).expect("it is applied");
    ap_apply::apply::confirm(&mut desk, &options, &mut |_| {}).expect("it waits");
    desk.paper().now += 61;
    assert_eq!(recover(&mut host, &mut desk, &options, &mut |_| {}).expect("nothing"), Outcome::Nothing);
    ends.is_one_of_them(&mut host, &Outcome::After { confirm_by: None }, "confirmed");
    let error =
        ap_apply::apply::confirm(&mut desk, &options, &mut |_| {}).expect_err("it is confirmed already");
    let said = error.to_string();
    assert!(said.starts_with("there is nothing to confirm: the last apply (1000"), "{said}");
    assert!(said.ends_with(") is in force, and stays"), "{said}");
}
