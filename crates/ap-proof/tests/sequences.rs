//! Sequences that once showed a defect.

use ap_proof::sequences::{Operation, ResetFault, judge};
use ap_types::{AdapterId, Apqn, DomainId};
use ap_vfio::VFIO_AP;

fn apqn(adapter: u8, domain: u8) -> Apqn {
    Apqn::new(AdapterId(adapter), DomainId(domain))
}

/// An mdev with all queues of adapter 4, and a guest that runs on it.
fn running() -> Vec<Operation> {
    vec![
        Operation::Apmask { on: false, id: 4 },
        Operation::Create { mdev: 0 },
        Operation::Config { mdev: 0, adapters: &[4], domains: &[6, 71], control: &[] },
        Operation::Start { guest: 0, mdev: 0 },
    ]
}

#[test]
fn a_queue_that_goes_takes_its_interrupts_along_whatever_its_reset_said() {
    let mut operations = running();
    operations.extend([
        Operation::Interrupts { guest: 0, on: true, apqn: apqn(4, 6) },
        Operation::Fault { apqn: apqn(4, 6), fault: ResetFault::Fails },
        Operation::Bind { driver: VFIO_AP, on: false, apqn: apqn(4, 6) },
    ]);
    assert_eq!(judge(&operations), []);
}

/// Found by every sequence of everything to depth 8.
#[test]
fn a_queue_that_is_unassigned_while_it_is_filtered_out_gives_its_interrupts_back() {
    let mut operations = running();
    operations.extend([
        Operation::Fault { apqn: apqn(4, 6), fault: ResetFault::Fails },
        Operation::Domain { mdev: 0, on: false, id: 6 },
        Operation::Domain { mdev: 0, on: true, id: 6 },
        Operation::Interrupts { guest: 0, on: true, apqn: apqn(4, 6) },
        Operation::Adapter { mdev: 0, on: false, id: 4 },
    ]);
    assert_eq!(judge(&operations), []);
}

#[test]
fn a_removal_that_waits_ends_with_its_guest() {
    let mut operations = running();
    operations.extend([
        Operation::Remove { mdev: 0 },
        Operation::Apmask { on: true, id: 4 },
        Operation::Stop { guest: 0 },
        Operation::Apmask { on: true, id: 4 },
        Operation::Create { mdev: 0 },
    ]);
    assert_eq!(judge(&operations), []);
}

/// That it is signalled, and that it is not when its guest has ended, sees a rule.
#[test]
fn a_request_interrupt_ends_with_the_guest_that_registered_it() {
    let (request, remove) = (Operation::Request { guest: 0 }, Operation::Remove { mdev: 0 });
    let mut operations = running();
    operations.extend([request, remove]);
    assert_eq!(judge(&operations), []);
    let mut operations = running();
    let again = [Operation::Stop { guest: 0 }, Operation::Start { guest: 0, mdev: 0 }];
    operations.push(request);
    operations.extend(again);
    operations.push(remove);
    assert_eq!(judge(&operations), []);
}
