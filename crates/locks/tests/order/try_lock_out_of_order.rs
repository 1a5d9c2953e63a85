use locks::{Mutex, enter};

locks::hierarchy! { pub mod order { Scan => Device => Perms => Guests => Kvm => Hook => Mdevs } }
use order::{Mdevs, Perms};

fn main() {
    let perms = Mutex::<Perms, u8>::new(0, 0);
    let mdevs = Mutex::<Mdevs, u8>::new(0, 0);
    enter(|held| {
        let (_inner, mut held) = mdevs.lock(held);
        let _outer = perms.try_lock(&mut held);
    });
}
