use locks::{Mutex, enter};

locks::hierarchy! { pub mod order { Scan => Device => Perms => Guests => Kvm => Hook => Mdevs } }
use locks::{Held, RwLock};
use order::{Device, Guests, Hook, Kvm, Mdevs, Perms};

struct Bus {
    devices: Vec<Mutex<Device, u8>>,
    perms: Mutex<Perms, u8>,
    guests: Mutex<Guests, u8>,
    kvms: Vec<Mutex<Kvm, u8>>,
    hook: RwLock<Hook, u8>,
    mdevs: Mutex<Mdevs, u8>,
}

trait Driver {
    fn in_use(&self, bus: &Bus, held: &mut Held<'_, Perms>) -> bool;
}

struct Vfio;

impl Driver for Vfio {
    fn in_use(&self, bus: &Bus, held: &mut Held<'_, Perms>) -> bool {
        let (_guests, mut held) = bus.guests.lock(held);
        let (mdevs, _held) = bus.mdevs.lock(&mut held);
        *mdevs != 0
    }
}

fn main() {
    let bus = Bus {
        devices: vec![Mutex::new(0, 0)],
        perms: Mutex::new(0, 0),
        guests: Mutex::new(0, 0),
        kvms: vec![Mutex::new(0, 0), Mutex::new(1, 0)],
        hook: RwLock::new(0, 0),
        mdevs: Mutex::new(0, 0),
    };
    let driver: &dyn Driver = &Vfio;
    enter(|held| {
        {
            let (_device, mut held) = bus.devices[0].lock(held);
            let (_perms, mut held) = bus.perms.lock(&mut held);
            driver.in_use(&bus, &mut held);
            let (_guests, mut held) = bus.guests.lock(&mut held);
            let (kvms, mut held) = Mutex::lock_all(&bus.kvms, &mut held);
            let (_hook, mut held) = bus.hook.write(&mut held);
            let (_mdevs, _held) = bus.mdevs.lock(&mut held);
            drop(kvms);
        }
        let (_none, mut held) = Mutex::lock_opt(None::<&Mutex<Kvm, u8>>, held);
        let (_mdevs, _held) = bus.mdevs.lock(&mut held);
    });
}
