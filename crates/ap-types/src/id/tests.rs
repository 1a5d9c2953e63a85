use std::string::ToString;

use proptest::prelude::*;

use super::*;

#[test]
fn adapter_5_domain_71_is_shown_as_on_page_1() {
    let apqn = Apqn::new(AdapterId(5), DomainId(71));
    assert_eq!(apqn.to_string(), "05.0047");
    assert_eq!(apqn.to_u16(), 0x0547);
    assert_eq!(AdapterId(5).to_string(), "05");
    assert_eq!(DomainId(71).to_string(), "0047");
}

#[test]
fn every_queue_number_is_its_text_and_its_word() {
    for word in 0..=u16::MAX {
        let apqn = Apqn::from_u16(word);
        assert_eq!(apqn.to_u16(), word);
        assert_eq!(apqn.to_string().parse(), Ok(apqn));
    }
}

#[test]
fn only_the_exact_device_name_parses() {
    let bad = [
        "",
        "05",
        "05.",
        ".0047",
        "5.0047",
        "05.47",
        "05.047",
        "05.00047",
        "05.0147",
        "05.1047",
        "05,0047",
        "05.0047\n",
        " 05.0047",
        "0A.0047",
        "0a.004F",
        "0x05.0047",
        "+5.0047",
        "05.+047",
        "card05",
        "05.004g",
        "é.0047",
    ];
    for text in bad {
        assert_eq!(text.parse::<Apqn>(), Err(ParseApqnError), "{text:?}");
    }
    assert_eq!("0a.00ff".parse(), Ok(Apqn::new(AdapterId(10), DomainId(255))));
}

#[test]
fn reset_order_key_is_the_top_byte_of_the_low_word_of_the_product() {
    // 0x0406 * 0x61C88647 = 0x189_6CCC_41AA: the low 32 bits are 6CCC41AA.
    assert_eq!(zapq_order_key(Apqn::from_u16(0x0406)), 0x6c);
    assert_eq!(zapq_order_key(Apqn::from_u16(0)), 0);
    assert_eq!(zapq_order_key(Apqn::from_u16(1)), 0x61);
}

proptest! {
    #[test]
    fn reset_order_key_agrees_with_wide_arithmetic(word: u16) {
        let product = u64::from(word) * 0x61C8_8647 % (1 << 32);
        prop_assert_eq!(u64::from(zapq_order_key(Apqn::from_u16(word))), product / (1 << 24));
    }

    #[test]
    fn queues_are_ordered_by_adapter_then_domain(a: u16, b: u16) {
        prop_assert_eq!(Apqn::from_u16(a).cmp(&Apqn::from_u16(b)), a.cmp(&b));
    }

    #[test]
    fn what_parses_is_what_is_shown(text in "[0-9a-fA-F]{2}[.,][01]{0,2}[0-9a-f]{2,3}") {
        if let Ok(apqn) = text.parse::<Apqn>() {
            prop_assert_eq!(apqn.to_string(), text);
        }
    }
}
