use locks::{Mutex, enter};

locks::hierarchy! { pub mod order { Scan => Device => Perms => Guests => Kvm => Hook => Mdevs } }
use locks::Held;
use order::{Kvm, Mdevs, Perms};

fn in_use(mdevs: &Mutex<Mdevs, u8>, held: &mut Held<'_, Perms>) -> bool {
    *mdevs.lock(held).0 != 0
}

fn main() {
    let kvm = Mutex::<Kvm, u8>::new(0, 0);
    let mdevs = Mutex::<Mdevs, u8>::new(0, 0);
    enter(|held| {
        let (_kvm, mut held) = kvm.lock(held);
        in_use(&mdevs, &mut held);
    });
}
