use locks::{Mutex, enter};

locks::hierarchy! { pub mod order { Scan => Device => Perms => Guests => Kvm => Hook => Mdevs } }
use locks::RwLock;
use order::{Hook, Mdevs};

fn main() {
    let hook = RwLock::<Hook, u8>::new(0, 0);
    let mdevs = Mutex::<Mdevs, u8>::new(0, 0);
    enter(|held| {
        let (_inner, mut held) = mdevs.lock(held);
        let (_outer, _held) = hook.read(&mut held);
    });
}
