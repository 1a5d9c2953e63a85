//! No text that can be written to an attribute makes a grammar panic, and what a grammar accepts comes back
//! the same when it is shown and written again.
#![no_main]

use ap_types::grammar::{
    ap_config, boolean_word, device_name, mask_parameter, mask_write, scanned_decimal, scanned_prefixed,
    strict, uuid,
};
use ap_types::{AdapterMask, Apqn, DomainMask, QueueSet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    masks(text);
    if let Ok(matrix) = ap_config(text) {
        let shown = format!("{},{},{}\n", matrix.adapters, matrix.domains, matrix.control_domains);
        assert_eq!(ap_config(shown.as_bytes()), Ok(matrix));
        let queues = QueueSet::from_product(&matrix.adapters, &matrix.domains);
        assert_eq!(queues.len(), matrix.queue_count());
    }
    if let Ok(number) = strict(text) {
        assert_eq!(strict(format!("{number}\n").as_bytes()), Ok(number));
        // Whatever is a strict number without sign is a scanned one, too, but may not fit.
        if !text.starts_with(b"+") {
            assert_eq!(scanned_prefixed(text), Ok(number as i32));
        }
    }
    let _ = boolean_word(text);
    if let Ok(number) = scanned_decimal(text) {
        assert_eq!(scanned_decimal(number.to_string().as_bytes()), Ok(number));
        assert!(scanned_prefixed(text).is_ok(), "both want one digit in the same place");
    }
    if let Ok(uuid_) = uuid(text) {
        assert_eq!(uuid(uuid_.to_string().as_bytes()), Ok(uuid_));
    }
    if let Some(Ok(apqn)) = device_name(text).map(str::parse::<Apqn>) {
        assert_eq!(device_name(text), Some(apqn.to_string().as_str()));
    }
});

/// Whether a text is a mask doesn't depend on the mask that it is written over, nor on its kind.
fn masks(text: &[u8]) {
    let over_nothing = mask_write(AdapterMask::EMPTY, text);
    let over_all = mask_write(AdapterMask::ALL, text);
    assert_eq!(over_nothing.err(), over_all.err());
    assert_eq!(mask_parameter::<AdapterMask>(text), over_nothing.unwrap_or_default());
    if let (Ok(low), Ok(high)) = (over_nothing, over_all) {
        assert!(low.is_subset(&high));
        assert_eq!(mask_write(high, format!("{low}\n").as_bytes()), Ok(low));
        let domains = mask_write(DomainMask::EMPTY, text);
        assert_eq!(domains.map(|mask| mask.words()), Ok(low.words()));
    }
}
