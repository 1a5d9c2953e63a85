use locks::{Mutex, enter};

locks::hierarchy! { pub mod order { Scan => Device => Perms => Guests => Kvm => Hook => Mdevs } }
use order::{Mdevs, Perms};

fn main() {
    let mdevs = Mutex::<Mdevs, u8>::new(0, 0);
    let perms = Mutex::<Perms, u8>::new(0, 0);
    enter(|held| {
        let (_inner, mut held) = mdevs.lock(held);
        let (_outer, _held) = perms.lock(&mut held);
    });
}
