//! The oracle of clean hand-over: a table of what may happen to a queue, and what is wrong with it.

use ap_proof::oracle::hand::{Fact, Hand, Reset, Touch, User, Wrong};
use ap_proof::oracle::{Broken, Known};
use ap_types::{AdapterId, Apqn, DomainId, ResponseCode};

type Happens = Fact<&'static str>;

const NORMAL: ResponseCode = ResponseCode::NORMAL;
const REFUSED: ResponseCode = ResponseCode::BUSY;

fn given(guest: &'static str) -> Happens {
    Fact::Given(guest)
}

fn withdrawn(guest: &'static str) -> Happens {
    Fact::Withdrawn(guest)
}

/// A guest stops: its APCB is cleared.
fn stops(guest: &'static str) -> [Happens; 2] {
    [Fact::Withdrawn(guest), Fact::GuestEnded(guest)]
}

fn issued(touch: Touch, code: ResponseCode, asked_by: Option<&'static str>) -> Happens {
    Fact::Issued { touch, code, lasts: true, asked_by }
}

fn zapq(code: ResponseCode) -> Happens {
    issued(Touch::Zapq, code, None)
}

fn rapq(code: ResponseCode) -> Happens {
    issued(Touch::Rapq, code, None)
}

fn ended(noted: ResponseCode) -> Happens {
    Fact::ResetEnded { noted }
}

/// The bus takes the queue from its driver.
fn taken(code: ResponseCode) -> [Happens; 2] {
    [zapq(code), Fact::Unbound]
}

/// The host's driver gets it.
fn bound(code: ResponseCode) -> [Happens; 2] {
    [rapq(code), Fact::Bound]
}

/// What is wrong, in the order in which it happens.
fn follow(facts: &[&[Happens]]) -> Vec<Wrong<&'static str>> {
    let mut hand = Hand::default();
    facts.concat().into_iter().filter_map(|fact| hand.follow(fact)).collect()
}

fn unclean(
    from: User<&'static str>,
    to: User<&'static str>,
    reset: Reset,
    by_bus: bool,
) -> Wrong<&'static str> {
    Wrong::Unclean { from, to, reset, by_bus }
}

/// What happens, what is wrong with it, and whether that is known.
type Row = (&'static str, Vec<Wrong<&'static str>>, Option<Known>);

fn row(what: &'static str, facts: &[&[Happens]], wrong: &[Wrong<&'static str>], known: Option<Known>) -> Row {
    let found = follow(facts);
    assert_eq!(found, wrong, "{what}");
    let queue = Apqn::new(AdapterId(4), DomainId(6));
    for wrong in &found {
        assert_eq!(Known::of(&Broken::of_queue(queue, wrong.clone())), known, "{what}");
    }
    (what, found, known)
}

const A: User<&str> = User::Guest("a");
const B: User<&str> = User::Guest("b");

#[test]
fn what_is_clean() {
    let clean: &[(&str, &[&[Happens]])] = &[
        (
            "a reset that was waited for",
            &[&[given("a"), withdrawn("a"), zapq(NORMAL), ended(NORMAL), given("b")]],
        ),
        ("the same guest again", &[&[given("a"), withdrawn("a"), given("a")]]),
        ("a guest that runs gets more, and what it has again", &[&[given("a"), given("a")]]),
        (
            "deconfigured: nothing is left in it",
            &[&[given("a"), withdrawn("a"), zapq(ResponseCode::DECONFIGURED), given("b")]],
        ),
        ("checkstopped", &[&[given("a"), withdrawn("a"), zapq(ResponseCode::CHECKSTOPPED), given("b")]]),
        (
            "out of the configuration",
            &[&[given("a"), withdrawn("a"), zapq(ResponseCode::Q_NOT_AVAIL), given("b")]],
        ),
        ("seen to be away", &[&[given("a"), withdrawn("a"), Fact::Away, given("b")]]),
        ("seen to have finished", &[&[given("a"), withdrawn("a"), zapq(NORMAL), Fact::Finished, given("b")]]),
        (
            "the driver tried again",
            &[&[given("a"), withdrawn("a"), zapq(REFUSED), zapq(NORMAL), ended(NORMAL), given("b")]],
        ),
        (
            "a guest ends, and another begins",
            &[&[given("a")], &stops("a"), &[zapq(NORMAL), ended(NORMAL), given("b")]],
        ),
        ("the host waits for its own reset", &[&[given("a")], &stops("a"), &taken(NORMAL), &bound(NORMAL)]),
        (
            "the host does not use what it could not reset",
            &[&[given("a")], &stops("a"), &taken(REFUSED), &bound(REFUSED)],
        ),
        (
            "the host gets a clean queue and resets it at will",
            &[&bound(NORMAL), &[rapq(NORMAL), rapq(REFUSED)]],
        ),
        (
            "the host uses it, is told to let it go, and gets it back",
            &[&bound(NORMAL), &taken(NORMAL), &bound(NORMAL)],
        ),
        ("a guest resets its own queue", &[&[given("a"), issued(Touch::Zapq, NORMAL, Some("a"))]]),
        ("a guest asks for interrupts", &[&[given("a"), issued(Touch::Aqic, NORMAL, Some("a"))]]),
        ("interrupts of a queue that nobody has", &[&[issued(Touch::Aqic, NORMAL, None)]]),
        (
            "a reset that takes no time",
            &[&[
                given("a"),
                withdrawn("a"),
                Fact::Issued { touch: Touch::Zapq, code: NORMAL, lasts: false, asked_by: None },
                given("b"),
            ]],
        ),
    ];
    for (what, facts) in clean {
        row(what, facts, &[], None);
    }
}

#[test]
fn what_is_unclean() {
    let none = |from, to| [unclean(from, to, Reset::None, false)];
    row("no reset", &[&[given("a"), withdrawn("a"), given("b")]], &none(A, B), None);
    row("it was not even taken away", &[&[given("a"), given("b")]], &none(A, B), None);
    row(
        "the same guest, started again",
        &[&[given("a")], &stops("a"), &[given("a")]],
        &none(User::Former, A),
        None,
    );
    row(
        "a guest's own reset: it went on with the queue",
        &[&[given("a"), issued(Touch::Zapq, NORMAL, Some("a")), ended(NORMAL), withdrawn("a"), given("b")]],
        &none(A, B),
        None,
    );
    row(
        "it was not waited for",
        &[&[given("a"), withdrawn("a"), zapq(NORMAL), given("b")]],
        &[unclean(A, B, Reset::Runs, false)],
        None,
    );
    row(
        "it ended too late",
        &[&[given("a"), withdrawn("a"), zapq(NORMAL), given("b"), ended(NORMAL)]],
        &[unclean(A, B, Reset::Runs, false)],
        None,
    );
    row(
        "it was refused, and nobody noted that",
        &[&[given("a")], &stops("a"), &[zapq(REFUSED), ended(NORMAL), given("b")]],
        &[unclean(User::Former, B, Reset::Refused { noted: false }, false)],
        None,
    );
    row(
        "it was refused to a guest that still runs: a filtering came in between, which keeps the queue out",
        &[&[given("a"), withdrawn("a"), zapq(REFUSED), ended(REFUSED), given("b")]],
        &[unclean(A, B, Reset::Refused { noted: true }, false)],
        None,
    );
    row(
        "the host had it, and nobody reset it",
        &[&bound(NORMAL), &[Fact::Unbound, given("a")]],
        &none(User::Host, A),
        None,
    );
    row(
        "the host's own reset: its driver went on with the queue",
        &[&bound(NORMAL), &[rapq(NORMAL), Fact::Unbound, given("a")]],
        &none(User::Host, A),
        None,
    );
    row(
        "a guest had it, and the host resets nothing",
        &[&[given("a"), withdrawn("a"), Fact::Bound]],
        &none(A, User::Host),
        None,
    );
    row(
        "the host uses it though its reset was refused",
        &[&[given("a"), withdrawn("a"), zapq(REFUSED), Fact::Uses(true)]],
        &[unclean(A, User::Host, Reset::Refused { noted: false }, false)],
        None,
    );
    row(
        "the host uses it during its reset",
        &[&[given("a"), withdrawn("a"), zapq(NORMAL), Fact::Uses(true)]],
        &[unclean(A, User::Host, Reset::Runs, false)],
        None,
    );
}

#[test]
fn what_is_known() {
    row(
        "opened without a filtering after a reset that failed, which the driver noted",
        &[&[given("a")], &stops("a"), &[zapq(REFUSED), ended(REFUSED), given("b")]],
        &[unclean(User::Former, B, Reset::Refused { noted: true }, false)],
        Some(Known::OpenedUnfiltered),
    );
    let bus = Some(Known::BusDoesNotWait);
    row(
        "from the host to a guest during the bus's reset",
        &[&bound(NORMAL), &taken(NORMAL), &[given("a")]],
        &[unclean(User::Host, A, Reset::Runs, true)],
        bus,
    );
    row(
        "from the host to a guest after the bus's reset was refused",
        &[&bound(NORMAL), &taken(REFUSED), &[given("a")]],
        &[unclean(User::Host, A, Reset::Refused { noted: false }, true)],
        bus,
    );
    row(
        "from a guest, whose driver's reset was refused, during the bus's",
        &[&[given("a")], &stops("a"), &[zapq(REFUSED), ended(REFUSED)], &taken(NORMAL), &[given("b")]],
        &[unclean(User::Former, B, Reset::Runs, true)],
        bus,
    );
}

#[test]
fn who_disturbs_a_guest() {
    for touch in [Touch::Zapq, Touch::Rapq, Touch::Aqic] {
        for asked_by in [None, Some("b")] {
            row(
                "somebody else's instruction",
                &[&[given("a"), issued(touch, NORMAL, asked_by)]],
                &[Wrong::Disturbed(touch, "a")],
                None,
            );
        }
    }
}

#[test]
fn a_queue_is_unreset_until_something_is_done_about_it() {
    let mut hand = Hand::default();
    assert!(!hand.unreset(), "a new one is clean");
    for (fact, unreset) in [
        (given("a"), false),
        (withdrawn("a"), true),
        (zapq(REFUSED), false),
        (given("b"), false),
        (withdrawn("b"), true),
        (zapq(NORMAL), false),
        (ended(NORMAL), false),
    ] {
        let what = format!("{fact:?}");
        hand.follow(fact);
        assert_eq!(hand.unreset(), unreset, "{what}");
    }
}
