//! A look's closure takes a lock by the token of its caller.

locks::hierarchy! { mod order { A => B } }

fn main() {
    let a = locks::Mutex::<order::A, u32>::new(0, 1);
    let b = locks::Mutex::<order::B, u32>::new(0, 1);
    locks::enter(|held| a.look(held, |value| *value + *b.lock(held).0));
}
