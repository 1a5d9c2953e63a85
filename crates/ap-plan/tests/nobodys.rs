//! How long queues that change hands are nobody's.

use ap_files::desired::DesiredFile;
use ap_files::{MachineFile, machine::built_in};
use ap_plan::{Allow, State, Target, plan};

#[test]
fn a_queue_that_comes_from_the_host_is_nobodys_between_two_writes() {
    let text = built_in("tiny").expect("it is there").text;
    let state = State::of(&MachineFile::parse("tiny", text).expect("it is right"));
    let nobodys = |more: &str| {
        let wish = format!("schema = \"apmatrix.desired/1\"\n[host]\napmask = \"-4\"\n{more}");
        let wish = DesiredFile::parse("d.toml", &wish).unwrap_or_else(|error| panic!("{error}"));
        let plan = plan(&state, &Target::of(&state, &wish), &Allow::default());
        plan.unwrap_or_else(|none| panic!("{none:?}")).nobodys()
    };
    let mdev = |domains: &str| {
        format!(
            "[[mdev]]\nuuid = \"a0000000-0000-4000-8000-000000000001\"\nadapters = 4\ndomains = {domains}\n"
        )
    };
    // One that nobody is to have does not count.
    assert_eq!(nobodys(""), 0);
    assert_eq!(nobodys(&mdev("6")), 1);
    assert_eq!(nobodys(&mdev("[6, 71]")), 2);
}
