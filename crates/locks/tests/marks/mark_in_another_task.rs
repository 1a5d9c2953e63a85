//! A task says what counts of what another one observed.

fn main() {
    locks::marked(|mark| {
        std::thread::scope(|scope| {
            scope.spawn(|| mark.only(|| 1));
        });
    });
}
