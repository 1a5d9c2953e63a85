use ap_host::Module;
use ap_machine::{AdapterChange, Answers, Change, FacilityChange, Fault, Ids, KeysChange, functions_of};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Features, Mode, ResponseCode};

use super::*;
use crate::boot::{Step, steps};

fn small(rest: &str) -> String {
    format!("schema = \"apmatrix.machine/1\"\n{rest}")
}

/// The error of a machine file: line, message, what was expected there.
fn error(rest: &str) -> (usize, String, String) {
    let error = MachineFile::parse("m.toml", &small(rest)).expect_err("it is wrong");
    (error.line().expect("it has a place"), error.to_string(), error.expected().to_owned())
}

#[test]
fn built_in_machines_are_as_promised() {
    let said = |name: &str| MachineFile::load(name).expect("it is built in").to_string();
    assert_eq!(said("tiny"), "2 adapters (1 CEX8P, 1 CEX7C) × 2 domains = 4 queues");
    assert_eq!(
        said("default"),
        "8 adapters (2 CEX8P, 2 CEX8C, 2 CEX8A, 1 CEX7C, 1 CEX6A) × 6 domains = 48 queues"
    );
    assert_eq!(said("wide"), "64 adapters (64 CEX8C) × 85 domains = 5440 queues");
    assert_eq!(said("max"), "256 adapters (256 CEX8C) × 256 domains = 65536 queues");
}

#[test]
fn a_file_may_say_everything() {
    let text = small(
        r#"
        name = "small"
        features = ["APSC", "APXA"]
        facilities = { interrupts = false }
        max_adapter = 15
        max_domain = 31
        domains = [4, "0x16", "24-26"]
        control_domains = [4, 31]
        apmask = "-5"
        [[adapter]]
        id = "0x05"
        type = "CEX8C"
        functions = "0x93800000"
        depth = 4
        max_message = 4096
        serial = "SN1"
        [[adapter]]
        ids = [6, "8-9"]
        hwtype = 15
        mode = "ep11"
        [[queue]]
        apqn = "05.0004"
        state = "deconfigured"
        [[mdev]]
        uuid = "62177883-f1bb-47f0-914d-32a22e3a8804"
        adapters = [5]
        domains = [4]
        control_domains = [4]
        "#,
    );
    let machine = MachineFile::parse("some/file.toml", &text).expect("it is right");
    let adapter = |id: u8, hwtype, functions, pages, depth: u8, serial: &str| {
        let change = AdapterChange {
            hwtype: Some(hwtype),
            functions: Some(functions),
            ml: Some(pages),
            qd: Some(depth - 1),
            serial: Some(serial.to_owned()),
            ..AdapterChange::default()
        };
        Change::Adapter(AdapterMask::single(AdapterId(id)), change)
    };
    let adapters = |ids: &[u8]| ids.iter().map(|id| AdapterId(*id)).collect::<AdapterMask>();
    let domains = |ids: &[u8]| ids.iter().map(|id| DomainId(*id)).collect::<DomainMask>();
    let ep11 = functions_of(Mode::Ep11);
    let hardware = vec![
        Change::HighestAdapter(15),
        Change::HighestDomain(31),
        Change::Features(Features::APSC | Features::APXA),
        Change::Facility(FacilityChange::Qci(true)),
        Change::Facility(FacilityChange::Apft(true)),
        Change::Facility(FacilityChange::Interrupts(false)),
        Change::Facility(FacilityChange::Instructions(true)),
        Change::Facility(FacilityChange::SecureExecution(false)),
        Change::Facility(FacilityChange::Zvm(false)),
        adapter(5, 14, 0x9380_0000, 1, 4, "SN1"),
        adapter(6, 15, ep11, 14, 8, "93AADX06"),
        adapter(8, 15, ep11, 14, 8, "93AADX08"),
        adapter(9, 15, ep11, 14, 8, "93AADX09"),
        Change::Adapters(Ids::Set(adapters(&[5, 6, 8, 9]))),
        Change::Domains(Ids::Set(domains(&[4, 22, 24, 25, 26]))),
        Change::ControlDomains(Ids::Set(domains(&[4, 31]))),
        Change::fault(Apqn::new(AdapterId(5), DomainId(4)), Fault::Answer(ResponseCode::DECONFIGURED)),
    ];
    assert_eq!(machine.hardware(), hardware);
    let mdev = machine.mdevs[0];
    assert_eq!(mdev.uuid.to_string(), "62177883-f1bb-47f0-914d-32a22e3a8804");
    assert_eq!((mdev.matrix.adapters, mdev.matrix.domains), (adapters(&[5]), domains(&[4])));
    assert_eq!(mdev.matrix.control_domains, domains(&[4]));
    let expected = [
        Step::Operate(hardware),
        Step::Load(Module::Ap, format!("apmask=0xfbff{}", "f".repeat(60))),
        Step::Advance(500),
        Step::Load(Module::Zcrypt, String::new()),
        Step::Load(Module::ZcryptCex4, String::new()),
        Step::Load(Module::Mdev, String::new()),
        Step::Load(Module::VfioAp, String::new()),
        Step::Create(mdev),
    ];
    assert_eq!(steps(&machine), expected);
}

#[test]
fn unknown_keys_name_the_nearest() {
    let nearest = |key: &str| format!("expected a known key; did you mean `{key}`?");
    assert_eq!(error("domain = [4]"), (2, "unknown key `domain`".into(), nearest("domains")));
    assert_eq!(error("[[adapter]]\nid = 4\ntyp = 1"), (4, "unknown key `typ`".into(), nearest("type")));
    assert_eq!(
        error("[facilities]\ninterupts = true"),
        (3, "unknown key `interupts`".into(), nearest("interrupts"))
    );
    assert_eq!(error("[[queue]]\nqpan = 1"), (3, "unknown key `qpan`".into(), nearest("apqn")));
    assert_eq!(
        error("[[mdev]]\ncontrol_domain = 1"),
        (3, "unknown key `control_domain`".into(), nearest("control_domains"))
    );
}

#[test]
fn impossible_ids_are_refused() {
    let id = "expected an id: a number 0-255, a hex string like \"0x16\" or a range like \"0-15\"";
    assert_eq!(error("domains = [85]"), (2, "impossible domain 85".into(), "expected at most 84".into()));
    assert_eq!(error("domains = [256]").1, "invalid value: integer `256`");
    assert_eq!(
        error("domains = [\n4,\n\"7-3\"]"),
        (4, "`7-3` runs backwards".into(), "expected \"3-7\"".into())
    );
    assert_eq!(
        error("domains = \"010\""),
        (2, "`010` has a number that begins with 0".into(), "expected 10, or 8 if octal is meant".into())
    );
    assert_eq!(error("domains = \"4-089\"").2, "expected \"4-89\"");
    assert_eq!(error("domains = \"00-03\"").2, "expected \"0-3\"");
    assert_eq!(
        error("apmask = \"-4,-010\""),
        (2, "`010` begins with 0".into(), "expected 10, or 8 if octal is meant".into())
    );
    assert_eq!(error("apmask = \"-9-4\"").1, "not a mask: the range 9-4 is reversed");
    // Ids begin with no 0, also where everybody would read it alike; the kernel's own masks may.
    for (ids, instead) in
        [("\"00-13\"", "\"0-13\""), ("[\"08\"]", "8"), ("\"04-7\"", "\"4-7\""), ("[\"4-09\"]", "\"4-9\"")]
    {
        assert_eq!(error(&format!("domains = {ids}")).2, format!("expected {instead}"), "{ids}");
        assert_eq!(
            error(&format!("aqmask = {}", ids.replace("04-7", "all but 04-7"))).2,
            format!("expected {instead}"),
            "{ids}"
        );
    }
    assert!(
        MachineFile::parse("m.toml", &small("domains = \"4-7\"\napmask = \"-04\"\naqmask = \"0x0100\""))
            .is_ok()
    );
    // What the kernel does not take, though people read it well.
    assert_eq!(error("apmask = \"-08\"").1, "`08` begins with 0");
    assert_eq!(error("apmask = \"-08\"").2, "expected 8");
    assert_eq!(error("apmask = \"-8, -9\"").1, "not a mask: blanks are not taken");
    assert_eq!(error("apmask = \"-8, -9\"").2, "expected \"-8,-9\"");
    assert!(MachineFile::parse("m.toml", &small("apmask = \" -8\"")).is_ok());
    assert_eq!(error("domains = [\"+5\"]").2, id);
    assert_eq!(error("features = []\ndomains = [16]").2, "expected at most 15");
    assert_eq!(error("control_domains = \"80-85\"").1, "impossible control domain 85");
    assert_eq!(error("[[adapter]]\nid = 64\ntype = \"CEX8C\"").1, "impossible adapter 64");
    assert_eq!(error("max_domain = 256").0, 2);
}

#[test]
fn duplicates_are_refused() {
    let card = |ids: &str| format!("[[adapter]]\nids = {ids}\ntype = \"CEX8C\"\n");
    assert_eq!(error("domains = [4, \"0-4\"]").1, "domain 4 is there twice");
    assert_eq!(
        error(&(card("\"1-4\"") + &card("2"))),
        (6, "adapter 2 is there twice".into(), "expected each only once".into())
    );
    assert_eq!(error("name = \"a\"\nname = \"b\"").0, 3);
    assert_eq!(error("features = [\"APSC\", \"APSC\"]").1, "the feature APSC is there twice");
    let queue = "[[queue]]\napqn = \"01.0004\"\nstate = \"ok\"\n";
    assert_eq!(error(&format!("domains=4\n{}{queue}{queue}", card("1"))).1, "queue 01.0004 is there twice");
    let mdev = "[[mdev]]\nuuid = \"62177883-f1bb-47f0-914d-32a22e3a8804\"\n";
    assert_eq!(error(&mdev.repeat(2)).1, "mdev 62177883-f1bb-47f0-914d-32a22e3a8804 is there twice");
}

/// With `-2` it proposed `-3`, and with `-3` `-2`.
#[test]
fn the_mask_that_is_proposed_lets_the_mdev_be() {
    let machine = |apmask: &str| {
        let mdev =
            "[[mdev]]\nuuid = \"62177883-f1bb-47f0-914d-32a22e3a8804\"\nadapters = [2, 3]\ndomains = 4\n";
        let text = small(&format!(
            "domains = 4\napmask = \"{apmask}\"\n[[adapter]]\nids = [2, 3, 9]\ntype = \"CEX8P\"\n{mdev}"
        ));
        MachineFile::parse("m.toml", &text).map_err(|error| format!("{error:?}"))
    };
    for apmask in ["-2", "-3"] {
        let error = machine(apmask).expect_err("the other one is the host's");
        assert!(error.contains("all but 2-3"), "{error}");
    }
    assert!(machine("-9").expect_err("both are").contains("all but 2-3, 9"));
    machine("all but 2-3").expect("what was proposed");
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let adapter = |rest: &str| error(&format!("[[adapter]]\n{rest}"));
    assert_eq!(adapter("type = \"CEX8C\"").1, "an adapter without id");
    assert_eq!(adapter("id = 1").1, "an adapter without type");
    assert_eq!(adapter("id = 1\ntype = \"CEX9C\"").1, "unknown adapter type `CEX9C`");
    assert_eq!(adapter("id = 1\nhwtype = 15").1, "a hardware type without mode");
    assert_eq!(adapter("id = 1\nhwtype = 15\nmode = \"cpu\"").1, "`cpu` is not known here");
    assert_eq!(
        adapter("ids = \"1-2\"\ntype = \"CEX8C\"\nserial = \"A\"").1,
        "one serial number for several adapters"
    );
    assert_eq!(adapter("id = 1\ntype = \"CEX8C\"\nmax_message = 5000").1, "impossible message size 5000");
    assert_eq!(adapter("id = 1\ntype = \"CEX8C\"\ndepth = 0").1, "impossible depth 0");
    assert_eq!(error("[[queue]]\napqn = \"05.0004\"\nstate = \"ok\"").1, "there is no adapter 5");
    assert_eq!(error("apmask = \"4\\n\\n\"").2, "expected what the kernel takes");
    let mdev = "[[mdev]]\nuuid = \"62177883-f1bb-47f0-914d-32a22e3a8804\"\nadapters = 4\ndomains = 6";
    assert_eq!(error(mdev).1, "queue 04.0006 is the host's");
    assert_eq!(error("[[mdev]]\nuuid = \"62177883\"").1, "`62177883` is not a UUID");
    let other = mdev.replace("62177883", "72177883");
    let two = |second: &str| error(&format!("apmask = \"0x0\"\n{mdev}\n{second}")).1;
    let u = "62177883-f1bb-47f0-914d-32a22e3a8804";
    assert_eq!(two(&other), format!("queue 04.0006 is in mdev {u}, too"));
}

#[test]
fn guests_have_an_mdev_each() {
    let u = "62177883-f1bb-47f0-914d-32a22e3a8804";
    let guest = |name: &str, mdev: &str| format!("[[guest]]\nname = \"{name}\"\nmdev = \"{mdev}\"\n");
    let mdev = format!("[[mdev]]\nuuid = \"{u}\"\n");
    let of = |guests: &[String]| error(&format!("{mdev}{}", guests.concat()));
    assert_eq!(of(&[guest("a b", u)]).1, "`a b` is no name of a guest");
    assert_eq!(of(&[guest("-", u)]).1, "`-` is no name of a guest");
    assert_eq!(of(&[guest("g1", "72177883-f1bb-47f0-914d-32a22e3a8804")]).0, 6);
    assert_eq!(of(&[guest("g1", u), guest("g1", u)]).1, "guest g1 is there twice");
    assert_eq!(of(&[guest("g1", u), guest("g2", u)]).1, format!("guest g1 has mdev {u} open already"));
    assert_eq!(error("[[guest]]\nname = \"g1\"").1, "the key `mdev` is missing");
    let machine =
        MachineFile::parse("m.toml", &small(&format!("{mdev}{}", guest("g1", u)))).expect("it is right");
    assert_eq!(steps(&machine).last(), Some(&Step::Start(machine.guests[0].clone())));
    assert!(machine.to_string().ends_with("1 mdev, 1 guest"), "{machine}");
}

#[test]
fn the_version_is_checked() {
    let wrong = |text: &str| MachineFile::parse("m.toml", text).expect_err("it is wrong").to_string();
    assert_eq!(wrong("schema = \"apmatrix.machine/2\""), "unknown schema `apmatrix.machine/2`");
    assert_eq!(wrong("domains = 4"), "the key `schema` is missing");
    assert_eq!(wrong(""), "the key `schema` is missing");
}

#[test]
fn what_cannot_be_read_says_so() {
    let error = MachineFile::load("no/such.toml").expect_err("there is no such file");
    assert_eq!(error.to_string(), "no/such.toml: No such file or directory");
    assert_eq!(error.hint(), Some("expected a machine file or one of tiny, default, wide, max"));
}

/// An EP11 adapter 4 and a CCA adapter 5 with domain 6, in a Secure Execution guest.
fn secure(rest: &str) -> String {
    let adapters = "[[adapter]]\nid = 4\ntype = \"CEX8P\"\n[[adapter]]\nid = 5\ntype = \"CEX8C\"\n";
    format!("domains = [6]\nfacilities = {{ se = true, vm = true, fac65 = false }}\n{adapters}{rest}")
}

#[test]
fn bind_states_and_master_keys_of_a_file() {
    let text = secure(
        "[[queue]]\napqn = \"04.0006\"\nbind = \"unbound\"\nkeys = { current = \"0xab\", new = \"none\" }\n\
         busy = 2\nzrc = \"7:1\"\n[[queue]]\napqn = \"05.0006\"\nrc = 9\n",
    );
    let machine = MachineFile::parse("m.toml", &small(&text)).expect("it is right");
    let has = machine.facilities;
    assert!(has.secure_execution && has.zvm && has.instructions && !has.interrupts, "{has:?}");
    assert!(machine.features.contains(Features::APSB), "it is there by default then");
    let keys = KeysChange { new: Some(None), current: Some(Some(0xab)), old: None };
    let resets = Answers { code: ResponseCode(7), times: 1 };
    let faults = [Fault::BindState(2), Fault::MasterKeys(keys), Fault::Busy(2), Fault::Resets(resets)];
    assert_eq!(machine.queues[0].faults, faults);
    assert_eq!(machine.queues[1].state.response_code(), ResponseCode(9));
}

#[test]
fn bind_states_and_master_keys_that_cannot_be() {
    let queue = |rest: &str| secure(&format!("[[queue]]\napqn = \"04.0006\"\n{rest}"));
    let of = |text: String| error(&text).1;
    assert_eq!(of(queue("bind = \"maybe\"")), "`maybe` is not known here");
    assert_eq!(of(queue("keys = { current = \"0xg\" }")), "not a verification pattern");
    assert_eq!(of(queue("keys = { current = \"0x+5\" }")), "not a verification pattern");
    assert_eq!(of(queue("keys = { curent = \"none\" }")), "unknown key `curent`");
    assert_eq!(of(queue("zrc = \"7\"")), "not what resets and tests answer");
    assert_eq!(of(queue("state = \"absent\"\nrc = 1")), "both `state` and `rc`");
    let cca = secure("[[queue]]\napqn = \"05.0006\"\nbind = \"bound\"");
    assert_eq!(of(cca), "queues of this adapter have no bind state");
    let open = queue("bind = \"bound\"").replace("se = true", "se = false");
    assert_eq!(of(open), "a bind state counts in a Secure Execution guest only");
    assert_eq!(of(format!("features = [\"APXA\"]\n{}", queue(""))), "Secure Execution without APSB");
}

/// What is wrong with a machine, a line and a message each.
fn mistakes(rest: &str) -> Vec<(usize, String)> {
    let error = MachineFile::parse("m.toml", &small(rest)).expect_err("it is wrong");
    let all = std::iter::once(&error).chain(error.others());
    all.map(|mistake| (mistake.line().expect("a place"), mistake.to_string())).collect()
}

#[test]
fn masks_are_said_as_in_desired_states_and_in_the_kernels_texts() {
    let mask = |text: &str| {
        let file = small(&format!("apmask = {text}"));
        MachineFile::parse("m.toml", &file).expect("it is right").apmask
    };
    let of = |ids: &[u8]| ids.iter().map(|id| AdapterId(*id)).collect::<AdapterMask>();
    for (text, ids) in
        [("\"none\"", &[][..]), ("[4, \"0x0a\"]", &[4, 10]), ("10", &[10]), ("\"4,6-7\"", &[4, 6, 7])]
    {
        assert_eq!(mask(text), of(ids), "{text}");
    }
    assert_eq!(mask("\"all but 4,10\""), !of(&[4, 10]));
    assert_eq!(mask("\"-4,-10\""), !of(&[4, 10]));
    // What the kernel takes is the kernel's: these are its digits.
    for (text, ids) in [("\"10\"", &[3][..]), ("\"0x0a\"", &[4, 6]), ("\"f\"", &[0, 1, 2, 3]), ("\"\"", &[])]
    {
        assert_eq!(mask(text), of(ids), "{text}");
    }
}

#[test]
fn what_a_machine_file_means_without_saying_so_is_noted() {
    let uuid = "62177883-f1bb-47f0-914d-32a22e3a8804";
    let noted = |text: &str| {
        let text = format!("schema = \"apmatrix.machine/1\"\n{text}");
        let Notes { ids, defaults } = parse_noted("m.toml", &text).expect("it is right").1;
        [ids, defaults].concat()
    };
    let rest = "domains = [4, 6]\n[[adapter]]\nid = 4\ntype = \"CEX8P\"\n";
    let mdev = format!("[[mdev]]\nuuid = \"{uuid}\"\n");
    assert_eq!(noted(rest), [""; 0]);
    for whole in ["all", "none", "-4", "all but 4", "4", "0xffff"] {
        let noted = noted(&format!("apmask = \"{whole}\"\n{rest}"));
        assert!(noted.iter().all(|note| !note.contains("not there")), "{whole}: {noted:?}");
    }
    assert_eq!(noted(&format!("apmask = \"-4,-67\"\n{rest}")), ["apmask: adapter 67 is not there"]);
    assert_eq!(noted(&format!("aqmask = \"all but 4-5,7\"\n{rest}")), ["aqmask: domains 5, 7 are not there"]);
    for empty in ["\"\"", "[]"] {
        let noted = noted(&format!("aqmask = {empty}\n{rest}"));
        assert!(
            noted.len() == 1 && noted[0].starts_with("aqmask: it is empty, so the host keeps no domain"),
            "{noted:?}"
        );
    }
    assert_eq!(
        noted(&format!("aqmask = \"10\"\n{rest}")),
        [
            "aqmask: digits alone are the left end of the kernel's whole mask, and no domain: write `aqmask = [10]` for \
          domain 10 alone, `aqmask = \"all but 10\"` for all others"
        ]
    );
    assert_eq!(
        noted(&format!(
            "apmask = \"none\"\n{rest}{mdev}adapters = \"4-6\"\ndomains = [6, 71]\ncontrol_domains = 8\n"
        )),
        [
            format!("mdev {uuid}: adapters 5-6 are not there; its guest gets what comes later"),
            format!("mdev {uuid}: domain 71 is not there; its guest gets what comes later"),
            format!("mdev {uuid}: control domain 8 is not there; its guest gets what comes later"),
        ]
    );
    assert_eq!(
        noted(&format!("apmask = \"none\"\n{rest}{mdev}adapters = 4\ndomains = 6\n")),
        [format!(
            "mdev {uuid}: it has no control domains, since the file does not say which: write `control_domains = []` to \
             say so (a desired state takes those of `domains`)"
        )]
    );
}

#[test]
fn h20_all_mistakes_are_told_at_once() {
    let text = "domain = [4]\ndomains = [4, 300]\napmask = \"four\"\n\
        [[adapter]]\nid = 4\ntype = \"CEX9C\"\n\
        [[adapter]]\nid = 5\ntype = \"CEX8P\"\ndepht = 3\n\
        [[mdev]]\nuuid = \"nonsense\"\n";
    // Of a shape that is wrong nothing more can be read.
    let shape = |line: usize, text: &str| (line, text.to_owned());
    let unread = [
        shape(2, "unknown key `domain`"),
        shape(3, "invalid value: integer `300`"),
        shape(11, "unknown key `depht`"),
    ];
    assert_eq!(mistakes(text), unread);
    let text = text.replace("300", "200");
    assert_eq!(
        mistakes(&text),
        [
            (2, "unknown key `domain`".into()),
            (3, "impossible domain 200".into()),
            (4, "`four` is no id".into()),
            (7, "unknown adapter type `CEX9C`".into()),
            (11, "unknown key `depht`".into()),
            (13, "`nonsense` is not a UUID".into()),
        ]
    );
    // What may only follow from another mistake is not told.
    let follows =
        "[[adapter]]\nidd = 4\ntype = \"CEX8C\"\n[[queue]]\napqn = \"04.0004\"\nstate = \"absent\"\n";
    assert_eq!(mistakes(follows), [(3, "unknown key `idd`".into())]);
    let queue = "domains = [200]\n[[queue]]\napqn = \"04.0004\"\nstate = \"absent\"\n";
    assert_eq!(mistakes(queue), [(2, "impossible domain 200".into())]);
}
