use locks::{Mutex, enter};

locks::hierarchy! { pub mod order { Scan => Device => Perms => Guests => Kvm => Hook => Mdevs } }
use order::Kvm;

fn main() {
    let kvms = [Mutex::<Kvm, u8>::new(0, 0), Mutex::new(1, 0)];
    enter(|held| {
        let (_one, mut held) = kvms[0].lock(held);
        let (_other, _held) = kvms[1].lock(&mut held);
    });
}
