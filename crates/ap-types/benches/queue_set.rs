//! The questions that the host asks of sets of queues, at the largest size and at that of a small machine.

use std::hint::black_box;

use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, DomainMask, QueueSet};
use criterion::{Criterion, criterion_group, criterion_main};

/// Every second queue of all 65536, so that no question ends at its first word.
fn checkered() -> QueueSet {
    (0..=u16::MAX).map(Apqn::from_u16).filter(|apqn| (apqn.adapter.0 ^ apqn.domain.0) & 1 == 0).collect()
}

fn in_use(c: &mut Criterion) {
    let set = checkered();
    let odd = DomainMask::of((0..=255).filter(|id| id & 1 == 1).map(DomainId));
    let odd_adapters = AdapterMask::of(odd.iter().map(|id| AdapterId(id.0)));
    let mut group = c.benchmark_group("in-use");
    let adapter = AdapterMask::single(AdapterId(100));
    group.bench_function("one adapter, all domains", |b| {
        b.iter(|| set.intersects_product(black_box(&adapter), black_box(&odd)));
    });
    let domain = DomainMask::single(DomainId(100));
    group.bench_function("all adapters, one domain", |b| {
        b.iter(|| set.intersects_product(black_box(&odd_adapters), black_box(&domain)));
    });
    let even = AdapterMask::ALL - odd_adapters;
    group.bench_function("128 adapters, 128 domains, none", |b| {
        b.iter(|| set.intersects_product(black_box(&even), black_box(&odd)));
    });
    group.finish();
}

fn filter(c: &mut Criterion) {
    let full = QueueSet::from_product(&AdapterMask::ALL, &DomainMask::ALL);
    let mut group = c.benchmark_group("filter");
    group.bench_function("256 adapters, 256 domains, all there", |b| {
        b.iter(|| full.adapters_missing_any(black_box(&AdapterMask::ALL), black_box(&DomainMask::ALL)));
    });
    let few = DomainMask::of([4, 6, 71].map(DomainId));
    group.bench_function("256 adapters, 3 domains, all there", |b| {
        b.iter(|| full.adapters_missing_any(black_box(&AdapterMask::ALL), black_box(&few)));
    });
    group.finish();
}

fn copy_on_write(c: &mut Criterion) {
    let apqn = Apqn::new(AdapterId(1), DomainId(1));
    let change = |set: &QueueSet| {
        let mut copy = set.clone();
        copy.remove(apqn);
        copy
    };
    let mut group = c.benchmark_group("clone, then change");
    let tiny = QueueSet::from_product(&AdapterMask::up_to(2), &DomainMask::up_to(2));
    group.bench_function("3 adapters, 3 domains", |b| b.iter(|| change(black_box(&tiny))));
    let full = QueueSet::from_product(&AdapterMask::ALL, &DomainMask::ALL);
    group.bench_function("256 adapters, 256 domains", |b| b.iter(|| change(black_box(&full))));
    group.finish();
}

fn text(c: &mut Criterion) {
    let mask = AdapterMask::from_words([0x0123_4567_89ab_cdef; 4]);
    c.bench_function("mask to text", |b| b.iter(|| black_box(&mask).to_string()));
}

criterion_group!(benches, in_use, filter, copy_on_write, text);
criterion_main!(benches);
