//! The text of the control file `state`: what the machine is and who has what, as one JSON document.

use ap_sysfs::control::StateText;
use serde::Serialize;

#[derive(Serialize)]
struct State<'a> {
    schema: &'static str,
    machine: &'a str,
    now_ms: u64,
    features: String,
    adapters: String,
    domains: String,
    control_domains: String,
    mdevs: Vec<MdevState>,
    guests: Vec<GuestState>,
}

/// A mediated device: what is assigned, and what its guest gets or would get.
#[derive(Serialize)]
struct MdevState {
    uuid: String,
    matrix: [String; 3],
    guest_matrix: [String; 3],
    guest: Option<String>,
}

#[derive(Serialize)]
struct GuestState {
    name: String,
    adapters: String,
    domains: String,
    control_domains: String,
}

fn masks(matrix: &ap_types::Matrix) -> [String; 3] {
    [matrix.adapters.to_string(), matrix.domains.to_string(), matrix.control_domains.to_string()]
}

/// Writes down the state of the machine of that name.
#[must_use]
pub fn text(machine: String) -> StateText {
    Box::new(move |tree, held| {
        let mdevs = tree.host.with_mdevs(held, |mdevs| {
            let state = |mdev: &ap_host::vfio_ap::Mdev| MdevState {
                uuid: mdev.uuid.to_string(),
                matrix: masks(&mdev.matrix),
                guest_matrix: masks(&mdev.shadow),
                guest: mdev.opener.as_ref().map(|guest| guest.name.clone()),
            };
            mdevs.list.values().map(state).collect()
        });
        let mut guests = Vec::new();
        for guest in tree.host.guests(held) {
            let [adapters, domains, control_domains] = masks(&guest.kvm.lock(held).0.apcb);
            guests.push(GuestState { name: guest.name.clone(), adapters, domains, control_domains });
        }
        let qci = tree.machine.look(&mut held.at(), |config| config.qci);
        let state = State {
            schema: "apmatrix.state/1",
            machine: &machine,
            now_ms: tree.host.clock.now(),
            features: qci.features.to_string(),
            adapters: qci.adapters.to_string(),
            domains: qci.domains.to_string(),
            control_domains: qci.control_domains.to_string(),
            mdevs,
            guests,
        };
        serde_json::to_string_pretty(&state).unwrap_or_default() + "\n"
    })
}
