use locks::{Mutex, enter};

locks::hierarchy! { pub mod order { Scan => Device => Perms => Guests => Kvm => Hook => Mdevs } }
use order::Perms;

fn main() {
    let perms = Mutex::<Perms, u8>::new(0, 0);
    enter(|held| {
        std::thread::scope(|scope| {
            scope.spawn(|| drop(perms.lock(held)));
        });
    });
}
