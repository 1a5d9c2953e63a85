use locks::{Mutex, enter};

locks::hierarchy! { pub mod order { Scan => Device => Perms => Guests => Kvm => Hook => Mdevs } }
use order::{Device, Perms};

fn main() {
    let perms = Mutex::<Perms, u8>::new(0, 0);
    let device = Mutex::<Device, u8>::new(0, 0);
    enter(|held| {
        let (_inner, mut held) = perms.lock(held);
        let (_outer, _held) = device.lock(&mut held);
    });
}
