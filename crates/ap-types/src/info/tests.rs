use std::string::ToString;

use super::*;

#[test]
fn an_ep11_card_with_bind_state_2_has_the_functions_of_page_1() {
    let info = HardwareInfo::new(0x8600_0000, 14, 84, 14, 7).with_bind_state(BindState::Unbound);
    assert_eq!(info.functions(), 0x8600_8000);
    assert_eq!(info.functions_without_bind_state(), 0x8600_0000);
    assert_eq!(info.bind_state(), BindState::Unbound);
    assert_eq!(info.to_string(), "860080000e540e07");
}

#[test]
fn fields_are_where_page_1_puts_them() {
    let bit = |bit: u32| HardwareInfo(1 << (63 - bit));
    assert_eq!(bit(0).functions(), functions::APSC);
    assert_eq!(bit(1).functions(), functions::MEX4K);
    assert_eq!(bit(2).functions(), functions::CRT4K);
    assert_eq!(bit(3).mode(), Mode::Cca);
    assert_eq!(bit(4).mode(), Mode::Accelerator);
    assert_eq!(bit(5).mode(), Mode::Ep11);
    assert_eq!(bit(6).functions(), functions::APXA);
    assert_eq!(bit(7).functions(), functions::SLCF);
    assert_eq!((bit(8).class(), bit(15).class()), (0x80, 1));
    assert_eq!(bit(16).bind_state(), BindState::Unbound);
    assert_eq!(bit(17).bind_state(), BindState::UsableNoSecureKey);
    assert_eq!((bit(32).adapter_type(), bit(39).adapter_type()), (0x80, 1));
    assert_eq!((bit(40).highest_domain(), bit(47).highest_domain()), (0x80, 1));
    assert_eq!((bit(52).max_message_units(), bit(55).max_message_units()), (8, 1));
    assert_eq!((bit(60).depth(), bit(63).depth()), (9, 2));
    // The bits between them belong to none.
    for between in (18..32).chain(48..52).chain(56..60) {
        let info = bit(between);
        assert_eq!((info.adapter_type(), info.highest_domain(), info.max_message_units()), (0, 0, 0));
        assert_eq!((info.depth(), info.bind_state(), info.mode()), (1, BindState::Usable, Mode::None));
    }
}

#[test]
fn fields_given_are_fields_read() {
    for (ml, qd) in [(0, 0), (3, 7), (14, 7), (15, 15)] {
        let info = HardwareInfo::new(0xea00_0000, 13, 255, ml, qd);
        assert_eq!(info.functions(), 0xea00_0000);
        assert_eq!((info.adapter_type(), info.highest_domain()), (13, 255));
        assert_eq!((info.max_message_units(), info.depth(), info.deep_depth()), (ml, qd + 1, qd + 1));
    }
    let deep = HardwareInfo::new(0, 0, 0, 0xff, 0xff);
    assert_eq!(deep, HardwareInfo::new(0, 0, 0, 15, 31));
    assert_eq!((deep.depth(), deep.deep_depth()), (16, 32), "kernels before 7.3 read four bits");
}

#[test]
fn message_size_0_is_the_default() {
    let bytes = |ml| HardwareInfo::new(0, 14, 0, ml, 0).max_message_bytes();
    assert_eq!((bytes(0), bytes(1), bytes(3), bytes(14), bytes(15)), (12288, 4096, 12288, 57344, 61440));
}

#[test]
fn bind_states_can_be_replaced() {
    let states = [BindState::Usable, BindState::UsableNoSecureKey, BindState::Unbound, BindState::Unusable];
    let info = HardwareInfo(u64::MAX);
    for (number, state) in states.into_iter().enumerate() {
        let changed = info.with_bind_state(state);
        assert_eq!(changed.bind_state(), state);
        assert_eq!(state as usize, number);
        assert_eq!(state.is_bound(), number < 2);
        assert_eq!(changed.with_bind_state(BindState::Unusable), info, "nothing else changes");
    }
}

#[test]
fn the_accelerator_bit_wins_then_cca_then_ep11() {
    let mode = |functions| HardwareInfo::new(functions, 14, 0, 0, 0).mode();
    let (accel, cca, ep11) = (functions::ACCEL, functions::CCA, functions::EP11);
    assert_eq!(mode(accel | cca | ep11), Mode::Accelerator);
    assert_eq!(mode(cca | ep11), Mode::Cca);
    assert_eq!(mode(ep11), Mode::Ep11);
    assert_eq!(mode(!(accel | cca | ep11)), Mode::None);
    for mode_of in [Mode::Accelerator, Mode::Cca, Mode::Ep11, Mode::None] {
        assert_eq!(mode(mode_of.function_bit()), mode_of);
    }
}

#[test]
fn modes_have_names() {
    let names = |mode: Mode| (mode.letter(), mode.uevent_name());
    assert_eq!(names(Mode::Accelerator), (Some('A'), Some("accel")));
    assert_eq!(names(Mode::Cca), (Some('C'), Some("cca")));
    assert_eq!(names(Mode::Ep11), (Some('P'), Some("ep11")));
    assert_eq!(names(Mode::None), (None, None));
}

#[test]
fn type_strings_are_those_of_page_1() {
    assert_eq!(type_string(11, Mode::Accelerator), "CEX5A");
    assert_eq!(type_string(12, Mode::Cca), "CEX6C");
    assert_eq!(type_string(14, Mode::Ep11), "CEX8P");
    assert_eq!(type_string(OLDEST_TYPE, Mode::Cca), "CEX4C");
    assert_eq!(type_string(NEWEST_TYPE, Mode::None), "CEX8");
}
