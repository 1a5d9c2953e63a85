//! What was looked at and kept is looked at again.

locks::hierarchy! { mod order { A } }

fn main() {
    let a = locks::Mutex::<order::A, u32>::new(0, 1);
    locks::enter(|held| {
        let (odd, kept, _held) = a.look_and_keep(held, |value| value % 2);
        println!("{odd} {}", *kept);
    });
}
