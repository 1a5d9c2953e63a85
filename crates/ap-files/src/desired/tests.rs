use ap_types::{AdapterMask, DomainMask};

use super::*;

const U: &str = "62177883-f1bb-47f0-914d-32a22e3a8804";

fn parse(text: &str) -> DesiredFile {
    DesiredFile::parse("d.toml", text).unwrap_or_else(|error| panic!("{error}: {}", error.expected()))
}

fn wrong(text: &str) -> (Option<usize>, String) {
    let error = DesiredFile::parse("d.toml", text).expect_err("it is wrong");
    (error.line(), error.to_string())
}

fn adapters(ids: &[u8]) -> AdapterMask {
    ids.iter().copied().map(ap_types::AdapterId).collect()
}

#[test]
fn a_desired_state_says_masks_and_mdevs() {
    let file = parse(&format!(
        "schema = \"apmatrix.desired/1\"\nunlisted = \"remove\"\n[host]\napmask = \"all but 4,10\"\naqmask = \"all\"\n\
         [[mdev]]\nuuid = \"{U}\"\nadapters = [4, \"0x0a\"]\ndomains = [6, 71]\ncontrol_domains = [6]\nboot = \"auto\"\n"
    ));
    assert_eq!(file.unlisted, Unlisted::Remove);
    assert_eq!(file.apmask, Some(MaskWish::Exactly(!adapters(&[4, 10]))));
    assert_eq!(file.aqmask, Some(MaskWish::Exactly(DomainMask::ALL)));
    let mdev = file.mdevs[0];
    assert_eq!(mdev.matrix.adapters, adapters(&[4, 10]));
    assert_eq!(mdev.matrix.control_domains.count(), 1);
    assert_eq!(mdev.boot, Some(Boot::Auto));
}

#[test]
fn masks_are_said_in_many_ways() {
    let mask =
        |text: &str| parse(&format!("schema = \"apmatrix.desired/1\"\n[host]\napmask = {text}\n")).apmask;
    for (text, ids) in [
        ("\"4\"", vec![4]),
        ("4", vec![4]),
        ("\"4, 6-8\"", vec![4, 6, 7, 8]),
        ("[4, \"0x0a\", \"12-13\"]", vec![4, 10, 12, 13]),
        ("\"none\"", vec![]),
        ("\"0xf000\"", vec![0, 1, 2, 3]),
        ("\"0x04,0x0a\"", vec![4, 10]),
    ] {
        assert_eq!(mask(text), Some(MaskWish::Exactly(adapters(&ids))), "{text}");
    }
    assert_eq!(mask("\"+4,-10\""), Some(MaskWish::Change { set: adapters(&[4]), clear: adapters(&[10]) }));
}

#[test]
fn mistakes_name_the_place_and_the_remedy() {
    let head = "schema = \"apmatrix.desired/1\"\n";
    let says = |text: &str, line: usize, message: &str| {
        assert_eq!(wrong(text), (Some(line), message.to_owned()), "{text}");
    };
    says("", 1, "the key `schema` is missing");
    says("schema = \"apmatrix.desired/2\"\n", 1, "unknown schema `apmatrix.desired/2`");
    says(&format!("{head}[host]\napmsk = 1\n"), 3, "unknown key `apmsk`");
    says(&format!("{head}[host]\napmask = \"0x0a\"\n"), 3, "`0x0a` can be the id 10 or the kernel's mask");
    says(&format!("{head}[host]\napmask = \"all but\"\n"), 3, "`all but` is no id");
    says(&format!("{head}[host]\napmask = 300\n"), 3, "`300` is no id");
    says(&format!("{head}[host]\napmask = \"9-4\"\n"), 3, "`9-4` runs backwards");
    says(&format!("{head}[host]\napmask = \"+010\"\n"), 3, "`010` begins with 0");
    says(&format!("{head}[host]\napmask = \"4,010\"\n"), 3, "`010` has a number that begins with 0");
    says(&format!("{head}unlisted = \"forget\"\n"), 2, "`forget` is not known here");
    says(&format!("{head}[[mdev]]\nuuid = \"x\"\n"), 3, "`x` is not a UUID");
    let mdev = |adapters: &str| format!("[[mdev]]\nuuid = \"{U}\"\nadapters = {adapters}\ndomains = 6\n");
    says(&format!("{head}{}", mdev("[4, 4]")), 4, "adapter 4 is there twice");
    says(&format!("{head}{}{}", mdev("4"), mdev("5")), 7, &format!("mdev {U} is there twice"));
    says(&format!("{head}{}", mdev("\"13-10\"")), 4, "`13-10` runs backwards");
    let other = mdev("4").replace("62177883", "72177883");
    says(&format!("{head}{}{other}", mdev("4")), 7, &format!("queue 04.0006 is in mdev {U}, too"));
    says("{\"a\": 1}", 1, "this JSON lists no mdevs");
}

#[test]
fn what_mdevctl_prints_is_a_desired_state() {
    let text = format!(
        "[{{\"matrix\": [{{\"{U}\": {{\"mdev_type\": \"vfio_ap-passthrough\", \"start\": \"auto\", \"attrs\": \
         [{{\"assign_adapter\": \"5\"}}, {{\"assign_domain\": \"0x6\"}}, {{\"assign_control_domain\": \"6\"}}]}}}}]}}]"
    );
    let file = parse(&text);
    assert_eq!(file.apmask, None);
    assert_eq!(file.mdevs[0].boot, Some(Boot::Auto));
    assert_eq!(file.mdevs[0].matrix.queues().next().map(|q| q.to_string()).as_deref(), Some("05.0006"));
    let bad = text.replace("assign_adapter", "assign_card");
    assert_eq!(
        wrong(&bad),
        (Some(1), format!("mdev {U}: there is no attribute `assign_card` of a matrix mdev"))
    );
}

#[test]
fn a_machine_file_is_a_desired_state() {
    let text = format!(
        "schema = \"apmatrix.machine/1\"\ndomains = [6]\napmask = \"-4\"\n[[adapter]]\nid = 4\ntype = \"CEX8P\"\n\
         [[mdev]]\nuuid = \"{U}\"\nadapters = 4\ndomains = 6\n"
    );
    let file = parse(&text);
    assert_eq!(file.apmask, Some(MaskWish::Exactly(!adapters(&[4]))));
    assert_eq!(file.mdevs[0].matrix.queue_count(), 1);
}
