//! A look changes what it sees.

locks::hierarchy! { mod order { A } }

fn main() {
    let a = locks::Mutex::<order::A, u32>::new(0, 1);
    locks::enter(|held| a.look(held, |value| *value += 1));
}
