//! `apmatrix ls` and the verbs on a tree of files: a copy of what an emulated machine shows.

use std::fs;

use crate::common::apmatrix_in;
use crate::recorded_tree as recorded;
use ap_files::{MachineFile, boot};
use ap_sysfs::{Called, Filesystem as _, Session};
use insta::assert_snapshot;

const M1: &str = "a0000000-0000-4000-8000-000000000001";
const M2: &str = "a0000001-0000-4000-8000-000000000002";

/// Two adapters, a queue of each owner, one queue deconfigured.
fn session() -> Session {
    let text = format!(
        "schema = \"apmatrix.machine/1\"\ndomains = [6, 71]\napmask = \"-10,-11,-12\"\n\
         [[adapter]]\nid = 4\ntype = \"CEX8P\"\n[[adapter]]\nids = \"10-12\"\ntype = \"CEX7C\"\n\
         [[queue]]\napqn = \"04.0047\"\nstate = \"deconfigured\"\n\
         [[mdev]]\nuuid = \"{M1}\"\nadapters = 10\ndomains = [6, 71]\n\
         [[mdev]]\nuuid = \"{M2}\"\nadapters = 11\ndomains = 6\n"
    );
    let mut session = boot(&MachineFile::parse("m.toml", &text).expect("a machine")).expect("it boots");
    session.guest(&format!("start g1 {M1}")).expect("a guest starts");
    write(&mut session, "/sys/bus/ap/drivers/vfio_ap/unbind", "0c.0047\n");
    session
}

fn write(session: &mut Session, path: &str, data: &str) {
    let entry = session.resolve_following(path).expect("it is there");
    assert_eq!(session.store(entry.ino, data.as_bytes()), Called::Done(Ok(data.len())));
}

pub fn tree() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut session = session();
    recorded::write(&mut session, &directory.path().join("sys"));
    directory
}

#[test]
fn a_table_tells_cards_queues_drivers_and_owners() {
    let tree = tree();
    assert_snapshot!(apmatrix_in(tree.path(), &["ls", "--root", "sys"]).ok(), @r"
    CARD.DOM  TYPE   MODE  DRIVER     STATE         OWNER
    04        CEX8P  ep11  cex4card   online
    04.0006   CEX8P  ep11  cex4queue  online        host
    04.0047   CEX8P  ep11  cex4queue  deconfigured  host
    0a        CEX7C  cca   cex4card   online
    0a.0006   CEX7C  cca   vfio_ap    in use        guest g1, mdev 1
    0a.0047   CEX7C  cca   vfio_ap    in use        guest g1, mdev 1
    0b        CEX7C  cca   cex4card   online
    0b.0006   CEX7C  cca   vfio_ap    assigned      mdev 2
    0b.0047   CEX7C  cca   vfio_ap    unassigned    free
    0c        CEX7C  cca   cex4card   online
    0c.0006   CEX7C  cca   vfio_ap    unassigned    free
    0c.0047   CEX7C  cca   -          -             -

    mdev 1  a0000000-0000-4000-8000-000000000001  guest g1
    mdev 2  a0000001-0000-4000-8000-000000000002
    ");
    assert_snapshot!(apmatrix_in(tree.path(), &["ls", "--root", "sys", "0a.0006"]).ok(), @r"
    CARD.DOM  TYPE   MODE  DRIVER   STATE   OWNER
    0a.0006   CEX7C  cca   vfio_ap  in use  guest g1, mdev 1

    mdev 1  a0000000-0000-4000-8000-000000000001  guest g1
    ");
    assert_snapshot!(apmatrix_in(tree.path(), &["ls", "--root", "sys", "04"]).ok(), @r"
    CARD.DOM  TYPE   MODE  DRIVER     STATE         OWNER
    04        CEX8P  ep11  cex4card   online
    04.0006   CEX8P  ep11  cex4queue  online        host
    04.0047   CEX8P  ep11  cex4queue  deconfigured  host
    ");
}

#[test]
fn a_document_tells_the_same() {
    let tree = tree();
    assert_snapshot!(apmatrix_in(tree.path(), &["ls", "--root", "sys", "--json", "0a.0047"]).ok(), @r#"
    {
      "schema": "apmatrix.ls/1",
      "cards": [
        {
          "card": "0a",
          "adapter": 10,
          "type": "CEX7C",
          "mode": "cca",
          "hwtype": 13,
          "driver": "cex4card",
          "online": true,
          "config": true,
          "checkstopped": false,
          "serial": null,
          "queues": [
            {
              "queue": "0a.0047",
              "adapter": 10,
              "domain": 71,
              "driver": "vfio_ap",
              "online": null,
              "config": true,
              "checkstopped": false,
              "status": "in use",
              "owner": {
                "kind": "guest",
                "mdev": "a0000000-0000-4000-8000-000000000001",
                "guest": "g1"
              }
            }
          ]
        }
      ]
    }
    "#);
    let all = apmatrix_in(tree.path(), &["ls", "--root", "sys", "--json"]).ok();
    let all: serde_json::Value = serde_json::from_str(&all).expect("JSON");
    assert_eq!(all["schema"], "apmatrix.ls/1");
    assert_eq!(all["cards"].as_array().map(Vec::len), Some(4));
}

#[test]
fn what_is_absent_is_no_error() {
    let tree = tree();
    let root = tree.path().join("sys");
    for gone in ["type", "uevent", "config", "chkstop", "online", "serialnr", "driver"] {
        fs::remove_file(root.join("devices/ap/card04").join(gone)).expect("it was there");
    }
    fs::remove_dir_all(root.join("kernel")).expect("it was there");
    fs::remove_dir_all(root.join("devices/vfio_ap")).expect("it was there");
    assert_snapshot!(apmatrix_in(tree.path(), &["ls", "--root", "sys", "04"]).ok(), @r"
    CARD.DOM  TYPE  MODE  DRIVER     STATE         OWNER
    04        -     -     -          -
    04.0006   -     -     cex4queue  online        host
    04.0047   -     -     cex4queue  deconfigured  host
    ");
    assert_snapshot!(apmatrix_in(tree.path(), &["ls", "--root", "sys", "0a.0006"]).ok(), @r"
    CARD.DOM  TYPE   MODE  DRIVER   STATE   OWNER
    0a.0006   CEX7C  cca   vfio_ap  in use  free
    ");
}

#[test]
fn what_is_not_there_is_said() {
    let tree = tree();
    assert_snapshot!(apmatrix_in(tree.path(), &["ls", "--root", "sys", "1f"]).failed(), @r"
    status 2
    error: `1f` is no card or queue: expected 31, or in hex 0x1f: a number alone is
      decimal
    hint: Ids: a number alone is decimal, or hex after 0x (10 and 0x0a are the same
      adapter). A name as in sysfs is hex and has all its digits: card0a, 0a.0047,
      and .0047 for a domain.
    ");
    assert_snapshot!(apmatrix_in(tree.path(), &["ls", "--root", "sys", "04.0001"]).failed(), @r"
    status 1
    error: there is no queue 04.0001
    hint: there are card04, card0a, card0b, card0c; `apmatrix ls` lists all queues
    ");
    assert_snapshot!(apmatrix_in(tree.path(), &["ls", "--root", "sys", "card4x"]).failed(), @r"
    status 2
    error: `card4x` is no card or queue: expected card and two hex digits, like
      card0a
    hint: Ids: a number alone is decimal, or hex after 0x (10 and 0x0a are the same
      adapter). A name as in sysfs is hex and has all its digits: card0a, 0a.0047,
      and .0047 for a domain.
    ");
    assert_snapshot!(apmatrix_in(tree.path(), &["ls", "--root", "nowhere"]).failed(), @r"
    status 3
    error: there is no AP bus at nowhere/bus/ap
    hint: on a real host load the module `ap`; for an emulated one: `apmatrix run --
      apmatrix ls`
    ");
}

#[test]
fn guests_and_events_are_shown() {
    let tree = tree();
    assert_snapshot!(apmatrix_in(tree.path(), &["guest", "--root", "sys", "list"]).ok(), @"g1 a0000000-0000-4000-8000-000000000001");
    assert_snapshot!(apmatrix_in(tree.path(), &["guest", "--root", "sys", "list", "--json"]).ok(), @r#"
    {
      "schema": "apmatrix.guests/1",
      "guests": [
        {
          "name": "g1",
          "mdevs": [
            "a0000000-0000-4000-8000-000000000001"
          ]
        }
      ]
    }
    "#);
    let events = apmatrix_in(tree.path(), &["events", "--root", "sys", "--json"]).ok();
    let events: serde_json::Value = serde_json::from_str(&events).expect("JSON");
    assert_eq!(events["schema"], "apmatrix.events/1");
    let of = |kind: &str| {
        let all = events["events"].as_array().into_iter().flatten();
        all.filter(|event| event["kind"] == kind).cloned().collect::<Vec<_>>()
    };
    assert!(!of("uevent").is_empty() && !of("log").is_empty());
    let last = of("instruction").last().cloned().expect("instructions were issued");
    assert_eq!(last["text"], "zapq 0c.0047 rc=00");
}

#[test]
fn a_guest_is_shown_as_the_verb_says() {
    let said = session().guest("show g1").expect("it is there");
    let tree = tree();
    assert_eq!(apmatrix_in(tree.path(), &["guest", "--root", "sys", "show", "g1"]).ok(), said);
    assert_snapshot!(apmatrix_in(tree.path(), &["guest", "--root", "sys", "show", "g2"]).failed(), @r"
    status 1
    error: there is no guest `g2`
    hint: there are g1; `apmatrix guest start g2 UUID` makes one
    ");
    let json = apmatrix_in(tree.path(), &["guest", "--root", "sys", "show", "g1", "--json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["schema"], &json["nset"]), (&"apmatrix.guest-show/1".into(), &1.into()));
    assert_eq!(json["queues"], serde_json::json!(["0a.0006", "0a.0047"]));
}

#[test]
fn a_verb_is_a_line_in_a_control_file() {
    let tree = tree();
    let control = tree.path().join("sys/kernel/debug/apmatrix");
    let line = |file: &str| fs::read_to_string(control.join(file)).expect("it is there");
    for file in ["hw", "guests"] {
        fs::write(control.join(file), "").expect("it can be written");
    }
    let _ = apmatrix_in(tree.path(), &["hw", "--root", "sys", "control", "plug", "4-6"]).ok();
    assert_eq!(line("hw"), "control plug 4-6\n");
    let _ = apmatrix_in(tree.path(), &["guest", "--root", "sys", "aqic", "g1", "0a.0006", "on"]).ok();
    assert_eq!(line("guests"), "aqic g1 0a.0006 on\n");
}

/// An adapter that vanished under a running guest was told by nobody but `view`.
#[test]
fn queues_of_an_mdev_that_are_not_there_are_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let machine = "schema = \"apmatrix.machine/1\"\ndomains = [3, 4]\napmask = \"-1,-2\"\n[[adapter]]\nids = [0, 1]\n\
                   type = \"CEX8C\"\n[[mdev]]\nuuid = \"11111111-1111-4111-8111-111111111111\"\nadapters = [1, 2]\n\
                   domains = [3, 4]\n[[guest]]\nname = \"prod\"\nmdev = \"11111111-1111-4111-8111-111111111111\"\n";
    fs::write(directory.path().join("m.toml"), machine).expect("a file");
    let ran = apmatrix_in(directory.path(), &["ls", "--machine", "m.toml"]).ok();
    assert!(
        ran.ends_with(
            "mdev 11111111-1111-4111-8111-111111111111: 2 of its 4 queues are not there:\n  02.0003, 02.0004\n"
        ),
        "{ran}"
    );
    assert!(ran.contains("\n01.0003   CEX8C  cca   vfio_ap    in use  guest prod, mdev 1\n"), "{ran}");
}
