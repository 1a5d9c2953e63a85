//! What the locks cost without a hook, against `std::sync::Mutex`: `cargo bench -p apmatrix-explore --bench locks`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

locks::hierarchy! { mod order { Only } }

fn mutex(c: &mut Criterion) {
    let mut group = c.benchmark_group("lock+unlock");
    let std = std::sync::Mutex::new(0u64);
    group.bench_function("std", |bench| bench.iter(|| *black_box(&std).lock().unwrap() += 1));
    let ours = locks::Mutex::<order::Only, u64>::new(0, 0);
    group.bench_function("locks", |bench| {
        locks::enter(|held| bench.iter(|| *black_box(&ours).lock(held).0 += 1));
    });
    let std = std::sync::RwLock::new(0u64);
    group.bench_function("std read", |bench| bench.iter(|| *black_box(&std).read().unwrap()));
    let ours = locks::RwLock::<order::Only, u64>::new(0, 0);
    group.bench_function("locks read", |bench| {
        locks::enter(|held| bench.iter(|| *black_box(&ours).read(held).0));
    });
    group.finish();
}

criterion_group!(benches, mutex);
criterion_main!(benches);
