//! A look's closure says what counts.

locks::hierarchy! { mod order { A } }

fn main() {
    let a = locks::Mutex::<order::A, u32>::new(0, 1);
    locks::marked(|mark| {
        locks::enter(|held| a.look(held, |value| mark.only(|| *value)));
    });
}
