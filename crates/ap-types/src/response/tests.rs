use std::string::ToString;

use super::*;

#[test]
fn codes_have_the_names_of_page_1() {
    let table = [
        (0x00, "NORMAL"),
        (0x01, "Q_NOT_AVAIL"),
        (0x02, "RESET_IN_PROGRESS"),
        (0x03, "DECONFIGURED"),
        (0x04, "CHECKSTOPPED"),
        (0x05, "BUSY"),
        (0x06, "INVALID_ADDRESS"),
        (0x07, "OTHERWISE_CHANGED"),
        (0x08, "INVALID_GISA"),
        (0x09, "Q_BOUND_TO_ANOTHER"),
        (0x0a, "STATE_CHANGE_IN_PROGRESS"),
        (0x0b, "Q_NOT_BOUND"),
        (0x10, "Q_FULL"),
        (0x11, "INDEX_TOO_BIG"),
        (0x13, "NO_FIRST_PART"),
        (0x15, "MESSAGE_TOO_BIG"),
        (0x16, "REQ_FAC_NOT_INST"),
        (0x35, "ASSOC_SECRET_NOT_UNIQUE"),
        (0x36, "ASSOC_FAILED"),
        (0x42, "INVALID_DOMAIN"),
    ];
    for code in 0..=255 {
        let name = table.iter().find(|row| row.0 == code).map(|row| row.1);
        assert_eq!(ResponseCode(code).name(), name, "{code:02x}");
    }
    assert_eq!(ResponseCode::NO_PENDING_REPLY, ResponseCode::Q_FULL);
    assert_eq!(ResponseCode::STATE_CHANGE_IN_PROGRESS.to_string(), "0a");
}

#[test]
fn status_words_are_those_of_page_1() {
    let interrupts = Status::new(ResponseCode::NORMAL).with_queue_empty(true).with_irq_enabled(true);
    assert_eq!(interrupts.to_u32(), 0x8100_0000);
    let changed = Status::new(ResponseCode::OTHERWISE_CHANGED).with_queue_empty(true);
    assert_eq!(changed.to_u32(), 0x8007_0000);
    // Page 3, "AQIC by the guest".
    assert_eq!(Status::new(ResponseCode::Q_NOT_AVAIL).to_string(), "00010000");
    assert_eq!(Status::new(ResponseCode::INVALID_ADDRESS).to_string(), "00060000");
}

#[test]
fn every_bit_has_its_place() {
    let status = Status::from_u32(0);
    assert_eq!(status.with_queue_empty(true).to_u32(), 1 << 31);
    assert_eq!(status.with_replies_waiting(true).to_u32(), 1 << (31 - 1));
    assert_eq!(status.with_queue_full(true).to_u32(), 1 << (31 - 2));
    assert_eq!(status.with_async(true).to_u32(), 1 << (31 - 6));
    assert_eq!(status.with_irq_enabled(true).to_u32(), 1 << (31 - 7));
    assert_eq!(status.with_response_code(ResponseCode(1)).to_u32(), 1 << (31 - 15));
}

#[test]
fn bits_that_are_set_read_as_set_and_can_be_cleared() {
    let all = Status::from_u32(u32::MAX);
    assert!(all.queue_empty() && all.replies_waiting() && all.queue_full());
    assert!(all.is_async() && all.irq_enabled());
    assert_eq!(all.response_code(), ResponseCode(0xff));
    let none = all
        .with_queue_empty(false)
        .with_replies_waiting(false)
        .with_queue_full(false)
        .with_async(false)
        .with_irq_enabled(false)
        .with_response_code(ResponseCode::NORMAL);
    assert_eq!(none.to_u32(), 0x1c00_ffff, "the bits without a name stay");
}

#[test]
fn a_queue_exists_if_its_info_is_valid_or_the_answer_asynchronous() {
    for code in 0..=255 {
        let valid = code <= 5 && code != 1;
        let status = Status::new(ResponseCode(code));
        assert_eq!(status.queue_exists(), valid, "{code:02x}");
        assert_eq!(status.response_code().has_valid_info(), valid, "{code:02x}");
        assert!(status.with_async(true).queue_exists(), "{code:02x}");
    }
}
