use std::collections::BTreeSet;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn mask(ids: &BTreeSet<u8>) -> DomainMask {
    DomainMask::of(ids.iter().copied().map(DomainId))
}

fn ids(mask: &DomainMask) -> BTreeSet<u8> {
    mask.iter().map(|id| id.0).collect()
}

fn digits(text: &str) -> String {
    format!("0x{text:0<64}")
}

#[test]
fn id_0_is_the_leftmost_bit() {
    assert_eq!(AdapterMask::single(AdapterId(0)).to_string(), digits("8"));
    assert_eq!(AdapterMask::single(AdapterId(0)).words(), [1 << 63, 0, 0, 0]);
    assert_eq!(AdapterMask::single(AdapterId(63)).words(), [1, 0, 0, 0]);
    assert_eq!(AdapterMask::single(AdapterId(64)).words(), [0, 1 << 63, 0, 0]);
    assert_eq!(AdapterMask::single(AdapterId(255)).words(), [0, 0, 0, 1]);
    assert_eq!(AdapterMask::EMPTY.to_string(), digits(""));
    assert_eq!(AdapterMask::ALL.to_string(), format!("0x{}", "f".repeat(64)));
}

/// The text depends on the words only, whatever the machine's byte order.
#[test]
fn text_is_the_words_one_after_another() {
    let words = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 1, 0x8000_0000_0000_0000];
    let text = "0x0123456789abcdeffedcba987654321000000000000000018000000000000000";
    assert_eq!(AdapterMask::from_words(words).to_string(), text);
    assert_eq!(DomainMask::from_words(words).to_string(), text);
    assert_eq!(AdapterMask::from_words(words).words(), words);
}

#[test]
fn bounds_of_up_to() {
    assert_eq!(DomainMask::up_to(0).to_string(), digits("8"));
    assert_eq!(DomainMask::up_to(63).words(), [u64::MAX, 0, 0, 0]);
    assert_eq!(DomainMask::up_to(64).words(), [u64::MAX, 1 << 63, 0, 0]);
    assert_eq!(DomainMask::up_to(255), DomainMask::ALL);
    for max in 0..=255 {
        assert!(DomainMask::up_to(max).iter().map(|id| id.0).eq(0..=max));
    }
}

#[test]
fn ranges_are_what_lies_between() {
    for first in 0..=255u8 {
        for last in (0..=255u8).step_by(5).chain([255]) {
            let range = DomainMask::from_words(bits::range(first, last));
            assert!(range.iter().map(|id| id.0).eq(first..=last), "{first}-{last}");
        }
    }
}

#[test]
fn insert_and_remove_say_whether_they_did_something() {
    let mut mask = AdapterMask::EMPTY;
    assert!(mask.insert(AdapterId(7)));
    assert!(!mask.insert(AdapterId(7)));
    assert!(mask.remove(AdapterId(7)));
    assert!(!mask.remove(AdapterId(7)));
    assert_eq!(mask, AdapterMask::default());
}

#[test]
fn debug_lists_the_members() {
    assert_eq!(format!("{:?}", AdapterMask::of([AdapterId(255), AdapterId(5)])), "AdapterMask{05, ff}");
    assert_eq!(format!("{:?}", DomainMask::single(DomainId(71))), "DomainMask{0047}");
}

proptest! {
    #[test]
    fn mask_of_ids_has_these_ids(set: BTreeSet<u8>) {
        let mask = mask(&set);
        prop_assert_eq!(ids(&mask), set.clone());
        prop_assert_eq!(mask.count(), set.len());
        prop_assert_eq!(mask.iter().len(), set.len());
        prop_assert_eq!(mask.is_empty(), set.is_empty());
        prop_assert_eq!(mask.first().map(|id| id.0), set.first().copied());
        prop_assert_eq!(mask.last().map(|id| id.0), set.last().copied());
        let backwards: Vec<u8> = mask.iter().rev().map(|id| id.0).collect();
        prop_assert_eq!(backwards, set.iter().rev().copied().collect::<Vec<u8>>());
        for id in 0..=255 {
            prop_assert_eq!(mask.contains(DomainId(id)), set.contains(&id));
        }
        prop_assert_eq!(DomainMask::from_words(mask.words()), mask);
    }

    #[test]
    fn operators_are_those_of_sets(a: BTreeSet<u8>, b: BTreeSet<u8>) {
        let (x, y) = (mask(&a), mask(&b));
        prop_assert_eq!(ids(&(x & y)), &a & &b);
        prop_assert_eq!(ids(&(x | y)), &a | &b);
        prop_assert_eq!(ids(&(x ^ y)), &a ^ &b);
        prop_assert_eq!(ids(&(x - y)), &a - &b);
        prop_assert_eq!(ids(&!x), (0..=255).filter(|id| !a.contains(id)).collect());
        prop_assert_eq!(x.intersects(&y), !a.is_disjoint(&b));
        prop_assert_eq!(x.is_subset(&y), a.is_subset(&b));
        prop_assert!((x & y).is_subset(&x));
        let mut z = x;
        z &= y;
        prop_assert_eq!(z, x & y);
        z |= x;
        prop_assert_eq!(z, x);
        z ^= y;
        prop_assert_eq!(z, x ^ y);
        z -= y;
        prop_assert_eq!(z, x - y);
    }

    #[test]
    fn one_id_more_or_less(a: BTreeSet<u8>, id: u8) {
        let (mut more, mut less) = (a.clone(), a.clone());
        more.insert(id);
        less.remove(&id);
        prop_assert_eq!(ids(&mask(&a).with(DomainId(id))), more);
        prop_assert_eq!(ids(&mask(&a).without(DomainId(id))), less);
    }

    #[test]
    fn text_is_that_of_the_formatting_machinery(words: [u64; 4]) {
        let [a, b, c, d] = words;
        let text = format!("0x{a:016x}{b:016x}{c:016x}{d:016x}");
        prop_assert_eq!(AdapterMask::from_words(words).to_string(), text);
    }

    #[test]
    fn iterators_meet_in_the_middle(set: BTreeSet<u8>, ends: Vec<bool>) {
        let mut real = mask(&set).iter();
        let mut naive = set.iter().copied();
        for front in ends {
            let (a, b) = if front {
                (real.next(), naive.next())
            } else {
                (real.next_back(), naive.next_back())
            };
            prop_assert_eq!(a.map(|id| id.0), b);
        }
        prop_assert_eq!(real.len(), naive.len());
    }
}

#[test]
fn at_most_one_is_a_count_below_two() {
    let pair = |a: u8, b: u8| bits::with(bits::with(bits::NONE, a), b);
    assert!(bits::at_most_one(&bits::NONE));
    for a in 0..=255 {
        for b in 0..=255 {
            assert_eq!(bits::at_most_one(&pair(a, b)), a == b, "{a} {b}");
        }
    }
    // The same bit of three words: adding or xoring the words would say one.
    assert!(!bits::at_most_one(&[1 << 63, 1 << 63, 1 << 63, 0]));
}

proptest! {
    #[test]
    fn loops_see_every_member_once_until_one_is_enough(set: BTreeSet<u8>, limit in 0..20usize) {
        let words = mask(&set).words();
        let mut seen = Vec::new();
        let stopped = bits::any(&words, |id| {
            seen.push(id);
            seen.len() == limit
        });
        prop_assert_eq!(stopped, limit > 0 && set.len() >= limit);
        prop_assert_eq!(seen.len(), if stopped { limit } else { set.len() });
        let distinct: BTreeSet<u8> = seen.iter().copied().collect();
        prop_assert_eq!(distinct.len(), seen.len());
        prop_assert!(distinct.is_subset(&set));
        let even: BTreeSet<u8> = set.iter().copied().filter(|id| id % 2 == 0).collect();
        prop_assert_eq!(bits::filter(&words, |id| id % 2 == 0), mask(&even).words());
    }
}
