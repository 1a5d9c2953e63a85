use std::collections::BTreeSet;
use std::format;
use std::hash::{BuildHasher, RandomState};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// The oracle: a set of (adapter, domain).
type Naive = BTreeSet<(u8, u8)>;

fn pair(apqn: Apqn) -> (u8, u8) {
    (apqn.adapter.0, apqn.domain.0)
}

fn apqn((adapter, domain): (u8, u8)) -> Apqn {
    Apqn::new(AdapterId(adapter), DomainId(domain))
}

fn product(adapters: &AdapterMask, domains: &DomainMask) -> impl Iterator<Item = (u8, u8)> {
    let domains = *domains;
    adapters.iter().flat_map(move |a| domains.iter().map(move |d| (a.0, d.0)))
}

#[derive(Clone, Debug)]
enum Operation {
    Insert(u8, u8),
    Remove(u8, u8),
    InsertProduct(AdapterMask, DomainMask),
    RemoveProduct(AdapterMask, DomainMask),
    Clone,
}

/// Ids from a few, so that operations meet, and at the edges of words.
fn id() -> impl Strategy<Value = u8> {
    prop_oneof![3 => 0..6u8, 1 => prop::sample::select([62, 63, 64, 65, 127, 128, 191, 192, 254, 255].as_slice())]
}

fn adapters() -> impl Strategy<Value = AdapterMask> {
    prop_oneof![
        8 => prop::collection::vec(id(), 0..5).prop_map(|ids| AdapterMask::of(ids.into_iter().map(AdapterId))),
        1 => Just(AdapterMask::ALL),
    ]
}

fn domains() -> impl Strategy<Value = DomainMask> {
    prop_oneof![
        8 => prop::collection::vec(id(), 0..5).prop_map(|ids| DomainMask::of(ids.into_iter().map(DomainId))),
        1 => Just(DomainMask::ALL),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (id(), id()).prop_map(|(a, d)| Operation::Insert(a, d)),
        4 => (id(), id()).prop_map(|(a, d)| Operation::Remove(a, d)),
        2 => (adapters(), domains()).prop_map(|(a, d)| Operation::InsertProduct(a, d)),
        3 => (adapters(), domains()).prop_map(|(a, d)| Operation::RemoveProduct(a, d)),
        1 => Just(Operation::Clone),
    ]
}

/// Applies an operation to both, and keeps a clone of before if it asks for one.
fn apply(operation: &Operation, set: &mut QueueSet, naive: &mut Naive, kept: &mut Vec<(QueueSet, Naive)>) {
    match operation {
        Operation::Insert(a, d) => assert_eq!(set.insert(apqn((*a, *d))), naive.insert((*a, *d))),
        Operation::Remove(a, d) => assert_eq!(set.remove(apqn((*a, *d))), naive.remove(&(*a, *d))),
        Operation::InsertProduct(a, d) => {
            set.insert_product(a, d);
            naive.extend(product(a, d));
        }
        Operation::RemoveProduct(a, d) => {
            set.remove_product(a, d);
            for queue in product(a, d) {
                naive.remove(&queue);
            }
        }
        Operation::Clone => kept.push((set.clone(), naive.clone())),
    }
}

/// Checks everything that can be asked about a set, the products with the given masks.
fn check(set: &QueueSet, naive: &Naive, a: &AdapterMask, d: &DomainMask) {
    assert!(set.iter().map(pair).eq(naive.iter().copied()), "{set:?} is not {naive:?}");
    assert_eq!(set.len(), naive.len());
    assert_eq!(set.is_empty(), naive.is_empty());
    assert_eq!(set.adapters(), AdapterMask::of(naive.iter().map(|queue| AdapterId(queue.0))));
    assert_eq!(set.domains(), DomainMask::of(naive.iter().map(|queue| DomainId(queue.1))));
    for id in 0..=255 {
        let row = naive.iter().filter(|queue| queue.0 == id).map(|queue| DomainId(queue.1));
        assert_eq!(set.row(AdapterId(id)), DomainMask::of(row));
        let column = naive.iter().filter(|queue| queue.1 == id).map(|queue| AdapterId(queue.0));
        assert_eq!(set.column(DomainId(id)), AdapterMask::of(column));
    }

    let members: Vec<_> = product(a, d).filter(|queue| naive.contains(queue)).collect();
    let missing: Vec<_> = product(a, d).filter(|queue| !naive.contains(queue)).collect();
    assert_eq!(set.intersects_product(a, d), !members.is_empty());
    assert_eq!(set.contains_product(a, d), missing.is_empty());
    assert!(set.intersection_product(a, d).map(pair).eq(members.iter().copied()));
    let adapters_of = |queues: &[(u8, u8)]| AdapterMask::of(queues.iter().map(|queue| AdapterId(queue.0)));
    assert_eq!(set.adapters_having_any(a, d), adapters_of(&members));
    assert_eq!(set.adapters_missing_any(a, d), adapters_of(&missing));
}

proptest! {
    #[test]
    fn what_two_sets_share_within_a_product_is_what_naive_ones_do(
        one in prop::collection::vec((id(), id()), 0..24),
        other in prop::collection::vec((id(), id()), 0..24),
        a in adapters(),
        d in domains(),
    ) {
        let sets: [QueueSet; 2] = [&one, &other].map(|pairs| pairs.iter().map(|pair| apqn(*pair)).collect());
        let shared = product(&a, &d).any(|queue| one.contains(&queue) && other.contains(&queue));
        prop_assert_eq!(sets[0].intersects_within(&sets[1], &a, &d), shared);
        prop_assert_eq!(sets[1].intersects_within(&sets[0], &a, &d), shared);
        let both = one.iter().collect::<BTreeSet<_>>().intersection(&other.iter().collect()).count();
        prop_assert_eq!((sets[0].shared_len(&sets[1]), sets[1].shared_len(&sets[0])), (both, both));
    }
}

#[test]
fn empty_products_change_nothing_and_are_contained() {
    let mut set = QueueSet::new();
    set.insert_product(&AdapterMask::ALL, &DomainMask::EMPTY);
    set.insert_product(&AdapterMask::EMPTY, &DomainMask::ALL);
    assert!(set.is_empty());
    assert_eq!(set, QueueSet::default());
    assert!(set.contains_product(&AdapterMask::ALL, &DomainMask::EMPTY));
    assert_eq!(set.adapters_missing_any(&AdapterMask::ALL, &DomainMask::EMPTY), AdapterMask::EMPTY);
    assert_eq!(set.adapters_missing_any(&AdapterMask::ALL, &DomainMask::ALL), AdapterMask::ALL);
}

#[test]
fn the_full_set_has_every_queue_and_loses_them() {
    let mut set = QueueSet::from_product(&AdapterMask::ALL, &DomainMask::ALL);
    assert_eq!(set.len(), 65536);
    assert!(set.iter().map(Apqn::to_u16).eq(0..=u16::MAX));
    assert!(set.remove(Apqn::from_u16(0xffff)));
    assert_eq!(
        set.adapters_missing_any(&AdapterMask::ALL, &DomainMask::ALL),
        AdapterMask::single(AdapterId(255))
    );
    set.remove_product(&AdapterMask::ALL, &DomainMask::ALL);
    assert_eq!(set, QueueSet::new());
}

#[test]
fn a_clone_is_a_reference_until_one_of_them_changes() {
    let mut set: QueueSet = [apqn((5, 71))].into_iter().collect();
    let clone = set.clone();
    set.insert(apqn((5, 71)));
    set.remove(apqn((6, 71)));
    set.insert_product(&AdapterMask::single(AdapterId(5)), &DomainMask::single(DomainId(71)));
    set.remove_product(&AdapterMask::single(AdapterId(6)), &DomainMask::ALL);
    assert!(Arc::ptr_eq(&set.table, &clone.table), "what changes nothing copies nothing");
    set.clear();
    assert!(set.is_empty());
    assert!(clone.contains(apqn((5, 71))));
}

#[test]
fn debug_lists_the_members() {
    let set: QueueSet = [apqn((6, 4)), apqn((5, 71))].into_iter().collect();
    assert_eq!(format!("{set:?}"), "{05.0047, 06.0004}");
}

proptest! {
    #[test]
    fn sets_are_what_was_done_to_them(
        operations in prop::collection::vec(operation(), 0..24),
        a in adapters(),
        d in domains(),
    ) {
        let (mut set, mut naive, mut kept) = (QueueSet::new(), Naive::new(), Vec::new());
        for operation in &operations {
            apply(operation, &mut set, &mut naive, &mut kept);
        }
        kept.push((set, naive));
        for (set, naive) in &kept {
            check(set, naive, &a, &d);
        }
    }

    #[test]
    fn single_rows_and_columns_answer_as_products_do(
        queues in prop::collection::btree_set((id(), id()), 0..12),
        a in id(),
        d in id(),
    ) {
        let set: QueueSet = queues.iter().copied().map(apqn).collect();
        let (a, d) = (AdapterMask::single(AdapterId(a)), DomainMask::single(DomainId(d)));
        check(&set, &queues, &a, &DomainMask::ALL);
        check(&set, &queues, &AdapterMask::ALL, &d);
        check(&set, &queues, &a, &d);
    }

    #[test]
    fn equality_and_hash_forget_the_history(
        queues in prop::collection::btree_set((id(), id()), 0..12),
        gone in prop::collection::btree_set((any::<u8>(), any::<u8>()), 0..12),
        other in prop::collection::btree_set((id(), id()), 0..3),
    ) {
        let fresh: QueueSet = queues.iter().copied().map(apqn).collect();
        let mut used: QueueSet = gone.iter().copied().map(apqn).collect();
        used.extend(queues.iter().rev().copied().map(apqn));
        for queue in gone.difference(&queues) {
            used.remove(apqn(*queue));
        }
        let state = RandomState::new();
        prop_assert_eq!(&fresh, &used);
        prop_assert_eq!(state.hash_one(&fresh), state.hash_one(&used));
        let different: QueueSet = other.iter().copied().map(apqn).collect();
        prop_assert_eq!(fresh == different, queues == other);
    }
}
