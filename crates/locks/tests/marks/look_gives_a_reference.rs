//! What is seen leaves the lock.

locks::hierarchy! { mod order { A } }

fn main() {
    let a = locks::RwLock::<order::A, Vec<u32>>::new(0, vec![1]);
    let seen = locks::enter(|held| a.look(held, |values| values.first()));
    println!("{seen:?}");
}
