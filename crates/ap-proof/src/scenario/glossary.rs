//! What locks are called in a trace: their letters in `docs/locking.md`, and which queue or device they are about.

use ap_types::Apqn;
use locks::Object;

/// What an object of a trace is called: `A of 0a.0006`, `M (mdevs)`; one that is none of the system's by its own name.
#[must_use]
pub fn object(object: &Object) -> String {
    let queue = Apqn::from_u16(object.key.id as u16);
    match object.level {
        "Modules" => "the modules' lock".to_owned(),
        "Scan" => "S (scan)".to_owned(),
        "Device" => format!("D of {}", device(object.key.id)),
        "Perms" => "P (apmask, aqmask)".to_owned(),
        "Guests" => "G (guests)".to_owned(),
        "Kvm" => "K (a guest's APCB)".to_owned(),
        "Vcpu" => "V (a guest's CPU)".to_owned(),
        "Hook" => "H (AQIC hook)".to_owned(),
        "Mdevs" => "M (mdevs)".to_owned(),
        "Vms" => "the list of guests".to_owned(),
        "Switches" => "the switches".to_owned(),
        "Devices" => match object.key.id {
            2 => "the list of modules".to_owned(),
            _ => "the list of devices".to_owned(),
        },
        "Queue" => format!("A of {}", device(object.key.id)),
        "Memory" => "a guest's memory".to_owned(),
        "HwConfig" => "the machine".to_owned(),
        "Hw" => format!("the machine's {queue}"),
        "Background" => "the background's list".to_owned(),
        "hand" => format!("whose {queue} is"),
        other => other.to_owned(),
    }
}

/// What sentences call an object; `None` if it is none of the system's.
pub(super) fn called(lock: &Object) -> Option<String> {
    Some(object(lock)).filter(|name| name != lock.level)
}

/// The letter of a lock in `docs/locking.md`, by its level's name; `None` if it has none.
#[must_use]
pub fn letter(level: &str) -> Option<char> {
    Some(match level {
        "Scan" => 'S',
        "Device" => 'D',
        "Perms" => 'P',
        "Guests" => 'G',
        "Kvm" => 'K',
        "Vcpu" => 'V',
        "Hook" => 'H',
        "Mdevs" => 'M',
        "Queue" => 'A',
        _ => return None,
    })
}

fn device(key: u32) -> String {
    match key {
        0..=0xffff => Apqn::from_u16(key as u16).to_string(),
        0x1_0000..=0x1_ffff => format!("card{:02x}", key & 0xff),
        _ => "the mdev".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use ap_bus::device::DeviceName;
    use ap_task::order;
    use ap_types::AdapterId;
    use locks::{Key, Level};

    use super::*;

    fn named<L: Level>(name: DeviceName) -> String {
        object(&Object { level: L::NAME, rank: 0, key: name.key(3) })
    }

    #[test]
    fn locks_are_called_by_their_letters_and_queues_by_their_apqns() {
        let queue = DeviceName::Queue("0a.0047".parse().expect("an APQN"));
        assert_eq!(named::<order::Device>(queue), "D of 0a.0047");
        assert_eq!(named::<order::Queue>(queue), "A of 0a.0047");
        assert_eq!(named::<order::Device>(DeviceName::Card(AdapterId(10))), "D of card0a");
        assert_eq!(letter(order::Perms::NAME), Some('P'));
        let plain = |level| object(&Object { level, rank: 0, key: Key { id: 0, generation: 0 } });
        assert_eq!(plain(order::Mdevs::NAME), "M (mdevs)");
        assert_eq!(plain("else"), "else");
    }
}
