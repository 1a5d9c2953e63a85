//! Everything that can be broken, with the law, the verdict and the sentence that it has; and what is known of it.

use std::collections::BTreeSet;

use ap_host::invariants::Broken as State;
use ap_host::invariants::Invariant::{self, I1, I2, I3, I4, I5, I6, I7, I8, I9, I11};
use ap_proof::oracle::Verdict::{
    Deadlock, Leak, Livelock, NotLinearizable, Panic, Shared, SpuriousBusy, Stolen, Unfiltered, Unreset,
};
use ap_proof::oracle::hand::{Reset, Touch, User};
use ap_proof::oracle::{
    Broken, BusRule, Difference, Expected, HandOver, Known, Law, NoOrder, NotReturned, Verdict, VfioRule,
};
use ap_sysfs::Errno;
use ap_types::{AdapterId, Apqn, DomainId, ResponseCode, Uuid};
use ap_vfio::{QueueStatus, VFIO_AP};

const QUEUE: Apqn = Apqn::new(AdapterId(4), DomainId(6));

fn hand_over(from: User<String>, reset: Reset, by_bus: bool) -> Broken {
    HandOver { queue: QUEUE, from, to: User::Guest("b".into()), reset, by_bus }.into()
}

/// What is broken; its law, its verdict (`None`: only a rule is broken), its sentence.
type Row = (Broken, Law, Option<Verdict>, &'static str);

const UUID: Uuid = Uuid([0xa0; 16]);

fn law(broken: impl Into<Broken>, invariant: Invariant, verdict: Verdict, text: &'static str) -> Row {
    (broken.into(), Law::Invariant(invariant), Some(verdict), text)
}

fn returns(how: NotReturned, verdict: Verdict, text: &'static str) -> Row {
    (how.into(), Law::Returns(verdict), Some(verdict), text)
}

fn page2(rule: BusRule, text: &'static str) -> Row {
    (rule.into(), Law::Page2, None, text)
}

fn page3(rule: VfioRule, text: &'static str) -> Row {
    (rule.into(), Law::Page3, None, text)
}

fn answer(is: Result<(), Errno>, should: Expected) -> Broken {
    Broken::Answer { is, should }
}

fn all() -> Vec<Row> {
    [states(), queues(), answers(), rules(), returning()].concat()
}

/// Invariants over a state.
fn states() -> Vec<Row> {
    vec![
        law(State::GuestsShare("a".into(), "b".into()), I1, Shared, "guests a and b share a queue"),
        law(
            State::Stolen { queue: QUEUE, guest: "a".into(), driver: None },
            I2,
            Stolen,
            "queue 04.0006 of running guest a is bound to no driver",
        ),
        law(
            State::ShadowUnbound(UUID),
            I3,
            Unfiltered,
            "the shadow APCB of a0a0a0a0-a0a0-a0a0-a0a0-a0a0a0a0a0a0 has a queue that is not bound to vfio_ap",
        ),
        law(
            State::AdapterMissing(AdapterId(4), UUID),
            I4,
            Unfiltered,
            "adapter 04 is missing from the shadow APCB of a0a0a0a0-a0a0-a0a0-a0a0-a0a0a0a0a0a0",
        ),
        law(State::AssignedSet, I6, Unfiltered, "the set of assigned queues is not that of the matrices"),
        law(
            State::ApcbNotShadow("a".into()),
            I7,
            Unfiltered,
            "the APCB of guest a is not its mdev's shadow APCB",
        ),
        law(State::NumbersLeft, I11, Leak, "a group's number was not given back"),
    ]
}

/// What is wrong with a queue or what is held for it.
fn queues() -> Vec<Row> {
    vec![
        law(
            hand_over(User::Former, Reset::Refused { noted: true }, false),
            I5,
            Unreset,
            "queue 04.0006 went from a guest that has ended to guest b: its reset failed",
        ),
        law(
            hand_over(User::Host, Reset::Runs, true),
            I5,
            Unreset,
            "queue 04.0006 went from the host to guest b: its reset has not ended, which the bus issued",
        ),
        law(
            hand_over(User::Guest("a".into()), Reset::None, false),
            I5,
            Unreset,
            "queue 04.0006 went from guest a to guest b: no reset",
        ),
        law(
            Broken::LeftUnreset { queue: QUEUE, guest: "a".into() },
            I5,
            Unreset,
            "queue 04.0006 left guest a and was not reset",
        ),
        law(
            Broken::Disturbed { touch: Touch::Rapq, queue: QUEUE, guest: "a".into() },
            I2,
            Stolen,
            "RAPQ by the host on queue 04.0006 of running guest a",
        ),
        law(
            Broken::GivenBack(QUEUE),
            I8,
            NotLinearizable,
            "queue 04.0006 was taken from its driver and given back to it by one operation",
        ),
        law(
            Broken::InterruptsKept { queue: QUEUE, guest: "a".into() },
            I11,
            Leak,
            "queue 04.0006 still holds interrupts of guest a",
        ),
        law(
            Broken::RequestOfNobody(UUID),
            I11,
            Leak,
            "the removal of mdev a0a0a0a0-a0a0-a0a0-a0a0-a0a0a0a0a0a0 signals the request interrupt of nobody",
        ),
        law(
            Broken::NotFiltered(UUID),
            I4,
            Unfiltered,
            "the shadow APCB of a0a0a0a0-a0a0-a0a0-a0a0-a0a0a0a0a0a0 is not what filtering makes of its matrix",
        ),
    ]
}

/// What is wrong with an answer, or with what an operation did.
fn answers() -> Vec<Row> {
    vec![
        law(
            answer(Ok(()), Expected::Exactly(Err(Errno::EBUSY))),
            I8,
            NotLinearizable,
            "the answer is ok and should be EBUSY",
        ),
        law(
            answer(Err(Errno::EINVAL), Expected::OkOrEio),
            I8,
            NotLinearizable,
            "the answer is EINVAL and should be ok or EIO",
        ),
        law(
            answer(Err(Errno::EBUSY), Expected::Exactly(Ok(()))),
            I9,
            SpuriousBusy,
            "the answer is EBUSY and should be ok",
        ),
        law(
            answer(Err(Errno::EAGAIN), Expected::Exactly(Ok(()))),
            I9,
            SpuriousBusy,
            "the answer is EAGAIN and should be ok",
        ),
        law(Broken::FailedAndChanged, I8, NotLinearizable, "an operation that failed changed something"),
        law(
            Broken::NothingToDoAndChanged,
            I8,
            NotLinearizable,
            "an operation that asked for what is there already changed something",
        ),
        law(
            Broken::BoundAgainstMasks { queue: QUEUE, driver: Some(VFIO_AP) },
            I8,
            NotLinearizable,
            "after a mask write queue 04.0006 has vfio_ap",
        ),
        law(
            NoOrder { results: vec![("bus".into(), "ok"), ("admin".into(), "EBUSY")], difference: None },
            I8,
            NotLinearizable,
            "bus=ok admin=EBUSY: no one-after-the-other order gives these results",
        ),
        law(
            NoOrder {
                results: vec![("bus".into(), "ok")],
                difference: Some(Difference::between("same\nhere\n", "same\nthere\n")),
            },
            I8,
            NotLinearizable,
            "bus=ok: they give another final state: `here` instead of `there`",
        ),
        law(
            Broken::RefusedInNoOrder { task: "bus".into(), refusal: Errno::EBUSY },
            I9,
            SpuriousBusy,
            "bus answers EBUSY, which it does in no one-after-the-other order",
        ),
    ]
}

/// Rules of pages 2 and 3.
fn rules() -> Vec<Row> {
    vec![
        page2(BusRule::Devices, "after a scan the devices are not the machine's queues"),
        page2(BusRule::StillAnnounced, "a device was bound, and bindings count as announced"),
        page2(BusRule::Announced { times: 2, due: 1 }, "bindings complete: announced 2 times, due 1"),
        page2(BusRule::InterruptsOff(QUEUE), "the host waits for interrupts of 04.0006, which are off"),
        page3(
            VfioRule::Passes { queue: QUEUE, last_reset: ResponseCode::BUSY },
            "queue 04.0006: its last reset answered 05, and it passes wrongly",
        ),
        page3(
            VfioRule::Status { queue: QUEUE, is: None, should: Some(QueueStatus::InUse) },
            "the status of 04.0006 is None and should be Some(InUse)",
        ),
        page3(VfioRule::ResetTwice(QUEUE), "queue 04.0006 left the configuration and was reset twice"),
        page3(VfioRule::SameMasks("a".into()), "guest a was given the masks that it had"),
        page3(
            VfioRule::NotRelayed(UUID),
            "the removal of mdev a0a0a0a0-a0a0-a0a0-a0a0-a0a0a0a0a0a0 does not signal the request interrupt of its guest",
        ),
        page3(VfioRule::OneByOne, "resets were waited for one by one"),
    ]
}

/// Operations that do not return.
fn returning() -> Vec<Row> {
    vec![
        returns(
            NotReturned::Waits("lock Scan at scan.rs:1, which nobody will release".into()),
            Deadlock,
            "it waits for ever for lock Scan at scan.rs:1, which nobody will release",
        ),
        returns(
            NotReturned::Keeps("Perms"),
            Deadlock,
            "it keeps lock Perms, for which the next one waits for ever",
        ),
        returns(NotReturned::NeverStops, Livelock, "it never stops waiting for a reset"),
        returns(NotReturned::Panicked("a guest".into()), Panic, "a guest"),
    ]
}

#[test]
fn each_has_its_law_its_verdict_and_its_sentence() {
    for (broken, law, verdict, text) in all() {
        assert_eq!(broken.to_string(), text);
        assert_eq!(broken.law(), law, "{text}");
        assert_eq!(broken.verdict(), verdict, "{text}");
        assert_eq!(broken.word(), verdict.map_or("rule", Verdict::word), "{text}");
    }
}

/// But for those that the explorer finds by itself, and the one that says that nothing was found.
#[test]
fn each_verdict_is_that_of_something() {
    let found: BTreeSet<Verdict> = all().iter().filter_map(|(_, _, verdict, _)| *verdict).collect();
    let not_here = [Verdict::Clean, Verdict::Race, Verdict::UseAfterFree];
    let expected: BTreeSet<Verdict> =
        Verdict::ALL.into_iter().filter(|verdict| !not_here.contains(verdict)).collect();
    assert_eq!(found, expected);
}

#[test]
fn words_are_those_of_the_interface() {
    let words = Verdict::ALL.map(Verdict::word);
    assert_eq!(
        words.join(" "),
        "clean deadlock livelock race use-after-free stolen shared unfiltered unreset leak spurious-busy \
         not-linearizable panic"
    );
    for verdict in Verdict::ALL {
        assert_eq!(Verdict::from_word(verdict.word()), Some(verdict));
    }
    assert_eq!(Verdict::from_word("rule"), None);
}

#[test]
fn nothing_is_known_but_two_hand_overs() {
    let known: Vec<(Known, String)> = all()
        .into_iter()
        .filter_map(|(broken, ..)| Known::of(&broken).map(|known| (known, broken.to_string())))
        .collect();
    assert_eq!(
        known,
        [
            (
                Known::OpenedUnfiltered,
                "queue 04.0006 went from a guest that has ended to guest b: its reset failed".to_owned()
            ),
            (
                Known::BusDoesNotWait,
                "queue 04.0006 went from the host to guest b: its reset has not ended, which the bus issued"
                    .to_owned()
            ),
        ]
    );
    assert_eq!(Known::ALL.map(Known::number), ["KNOWN-002", "KNOWN-009"]);
}

#[test]
fn laws_have_names() {
    for (law, name) in [
        (Law::Invariant(Invariant::I5), "I5"),
        (Law::Page2, "page 2"),
        (Law::Page3, "page 3"),
        (Law::Returns(Verdict::Deadlock), "deadlock"),
    ] {
        assert_eq!(law.to_string(), name);
    }
}
