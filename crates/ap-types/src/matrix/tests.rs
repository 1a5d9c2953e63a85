use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn matrix(adapters: [u64; 4], domains: [u64; 4]) -> Matrix {
    Matrix {
        adapters: AdapterMask::from_words(adapters),
        domains: DomainMask::from_words(domains),
        control_domains: DomainMask::EMPTY,
    }
}

/// Sparse masks: what dense ones would show they show, too, with fewer queues to list.
fn words() -> impl Strategy<Value = [u64; 4]> {
    prop::collection::vec(any::<u8>(), 0..12)
        .prop_map(|ids| AdapterMask::of(ids.into_iter().map(AdapterId)).words())
}

#[test]
fn one_dimension_alone_has_no_queues() {
    let adapters_only = matrix([1, 2, 3, 4], [0; 4]);
    let domains_only = matrix([0; 4], [1, 2, 3, 4]);
    for matrix in [Matrix::default(), adapters_only, domains_only] {
        assert!(!matrix.has_queues());
        assert_eq!(matrix.queue_count(), 0);
        assert_eq!(matrix.queues().len(), 0);
        assert_eq!(matrix.queues().next(), None);
        assert!(!matrix.shares_queue(&Matrix { domains: DomainMask::ALL, ..adapters_only }));
    }
}

#[test]
fn the_full_matrix_has_every_queue_in_order() {
    let full = matrix([u64::MAX; 4], [u64::MAX; 4]);
    assert_eq!(full.queue_count(), 65536);
    assert!(full.queues().map(Apqn::to_u16).eq(0..=u16::MAX));
}

#[test]
fn control_domains_are_no_queues() {
    let control_domains = DomainMask::ALL;
    let matrix = Matrix { control_domains, ..Matrix::default() };
    assert!(!matrix.has_queues());
    assert!(!matrix.shares_queue(&matrix));
    assert_eq!(matrix.shared(&matrix).control_domains, control_domains);
}

proptest! {
    #[test]
    fn queues_are_the_sorted_product(a in words(), b in words()) {
        let matrix = matrix(a, b);
        let naive: Vec<Apqn> = (0..=u16::MAX)
            .map(Apqn::from_u16)
            .filter(|apqn| matrix.adapters.contains(apqn.adapter) && matrix.domains.contains(apqn.domain))
            .collect();
        prop_assert_eq!(matrix.queue_count(), naive.len());
        prop_assert_eq!(matrix.has_queues(), !naive.is_empty());
        let mut queues = matrix.queues();
        for (at, apqn) in naive.iter().enumerate() {
            prop_assert_eq!(queues.len(), naive.len() - at);
            prop_assert_eq!(queues.next(), Some(*apqn));
            prop_assert!(matrix.contains(*apqn));
        }
        prop_assert_eq!(queues.next(), None);
        prop_assert_eq!(queues.next(), None);
    }

    #[test]
    fn sharing_is_having_a_queue_in_common(a in words(), b in words(), c in words(), d in words()) {
        let (x, y) = (matrix(a, b), matrix(c, d));
        let common: Vec<Apqn> = x.queues().filter(|apqn| y.contains(*apqn)).collect();
        prop_assert_eq!(x.shares_queue(&y), !common.is_empty());
        prop_assert!(x.shared(&y).queues().eq(common));
    }
}
