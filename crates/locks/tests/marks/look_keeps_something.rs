//! A look's closure keeps something for itself: more would count than its answer.

locks::hierarchy! { mod order { A } }

fn main() {
    let a = locks::Mutex::<order::A, u32>::new(0, 1);
    let mut kept = 0;
    locks::enter(|held| a.look(held, |value| kept = *value));
    println!("{kept}");
}
