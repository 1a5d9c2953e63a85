use std::string::ToString;

use super::*;
use crate::id::{AdapterId, DomainId};

#[test]
fn flags_are_shown_in_the_order_of_the_attribute() {
    let all = Features(u32::MAX);
    assert_eq!(all.to_string(), "APSC APXA QACT RC8A APSB");
    assert_eq!((Features::APSB | Features::APSC).to_string(), "APSC APSB");
    assert_eq!(Features::NONE.to_string(), "");
    assert_eq!(Features(1).to_string(), "", "a flag without a name is not shown");
}

#[test]
fn flags_are_the_bits_of_page_1() {
    let bits = [0, 1, 2, 3, 8];
    for ((flag, _), bit) in Features::NAMED.into_iter().zip(bits) {
        assert_eq!(flag.0, 1 << (31 - bit));
    }
}

#[test]
fn containing_means_all_of_them() {
    let mut features = Features::APXA;
    assert!(!features.contains(Features::APXA | Features::QACT));
    features |= Features::QACT;
    assert!(features.contains(Features::APXA | Features::QACT));
    assert!(features.contains(Features::NONE));
    assert_eq!(features - Features::APXA, Features::QACT);
    assert!((features & Features::APSB).is_empty());
}

#[test]
fn the_configuration_is_a_matrix() {
    let config = HostConfig {
        adapters: AdapterMask::single(AdapterId(4)),
        domains: DomainMask::single(DomainId(6)),
        control_domains: DomainMask::single(DomainId(7)),
        ..HostConfig::default()
    };
    let matrix = config.matrix();
    assert_eq!(matrix.adapters, config.adapters);
    assert_eq!(matrix.domains, config.domains);
    assert_eq!(matrix.control_domains, config.control_domains);
}
