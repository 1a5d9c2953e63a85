//! A guest's interrupt request, intercepted, and what interrupts hold. (Page 3, "AQIC by the guest".)

use ap_types::{Apqn, ResponseCode};
use locks::{Held, Nothing};

use super::guest::Guest;
use super::state::{IrqResources, Mdevs};
use crate::Host;
use crate::event::{Instruction, Sink};
use crate::order::Mdevs as MdevsLevel;

/// Milliseconds between two looks at an interrupt that is being switched off.
const INTERVAL: u64 = 20;
/// How often AQIC is tried again.
const RETRIES: usize = 5;
/// Enable: bit 16 of GR1.
const IR: u64 = 1 << 47;

fn failed(code: ResponseCode) -> u64 {
    u64::from(code.0) << 16
}

impl Host {
    /// A guest's PQAP(AQIC): GR0 has the APQN in its low 16 bits, GR1 the request, GR2 the address of the
    /// notification byte.
    ///
    /// # Locks
    /// V of the guest, H for reading, M.
    pub fn guest_pqap(
        &self,
        guest: &Guest,
        gr0: u64,
        gr1: u64,
        gr2: u64,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> u64 {
        // Lock order: V -> H (read) -> M
        let (_vcpu, mut held) = guest.vcpu.lock(held);
        let (hook, mut held) = guest.hook.read(&mut held);
        let Some(id) = *hook else {
            let gr1 = failed(ResponseCode::Q_NOT_AVAIL);
            out.instruction(Instruction::Pqap(true, gr1));
            return gr1;
        };
        let apqn = Apqn::from_u16(gr0 as u16);
        let (mut mdevs, mut held) = self.mdevs.lock(&mut held);
        let status = if mdevs.linked_mdev(apqn) != Some(id) {
            failed(ResponseCode::Q_NOT_AVAIL)
        } else if gr1 & IR != 0 {
            self.irq_enable(guest, apqn, (gr1 & 7) as u8, gr2, &mut mdevs, &mut held, out)
        } else {
            self.irq_disable(apqn, &mut mdevs, &mut held, out)
        };
        out.instruction(Instruction::Pqap(false, status));
        status
    }

    #[expect(clippy::too_many_arguments, reason = "the instruction's operands and the locks")]
    fn irq_enable(
        &self,
        guest: &Guest,
        apqn: Apqn,
        isc: u8,
        address: u64,
        mdevs: &mut Mdevs,
        held: &mut Held<'_, MdevsLevel>,
        out: &dyn Sink,
    ) -> u64 {
        if address == 0 {
            return failed(ResponseCode::INVALID_ADDRESS);
        }
        self.hold_irq(guest, isc, address, held, out);
        let status = self.hw.aqic(apqn, true, &mut held.at(), out);
        let new = IrqResources { isc, address, guest: guest.name.clone() };
        match status.response_code() {
            ResponseCode::NORMAL => {
                self.free_irq(apqn, mdevs, held, out);
                if let Some(record) = mdevs.queues.get_mut(&apqn.to_u16()) {
                    record.irq = Some(new);
                }
            }
            ResponseCode::OTHERWISE_CHANGED => self.let_go(&new, held, out),
            code => {
                out.log(4, format!("vfio_ap_irq_enable: apqn {:04x}: response: {code}", apqn.to_u16()));
                self.let_go(&new, held, out);
                self.irq_disable(apqn, mdevs, held, out);
            }
        }
        u64::from(status.to_u32())
    }

    /// Switches a queue's interrupts off, waits until they are, and frees what they hold.
    pub(crate) fn irq_disable(
        &self,
        apqn: Apqn,
        mdevs: &mut Mdevs,
        held: &mut Held<'_, MdevsLevel>,
        out: &dyn Sink,
    ) -> u64 {
        let mut status = self.hw.aqic(apqn, false, &mut held.at(), out);
        for _ in 0..RETRIES {
            match status.response_code() {
                ResponseCode::RESET_IN_PROGRESS | ResponseCode::BUSY => {
                    self.clock.sleep(INTERVAL);
                    status = self.hw.aqic(apqn, false, &mut held.at(), out);
                }
                _ => break,
            }
        }
        if matches!(status.response_code(), ResponseCode::NORMAL | ResponseCode::OTHERWISE_CHANGED) {
            for attempt in 0..RETRIES {
                if attempt > 0 {
                    self.clock.sleep(INTERVAL);
                }
                if !self.hw.tapq(apqn, &mut held.at()).0.irq_enabled() {
                    break;
                }
            }
        }
        self.free_irq(apqn, mdevs, held, out);
        u64::from(status.to_u32())
    }

    /// Pins a page and registers an interruption subclass.
    fn hold_irq(
        &self,
        guest: &Guest,
        isc: u8,
        address: u64,
        held: &mut Held<'_, MdevsLevel>,
        out: &dyn Sink,
    ) {
        let (mut memory, _held) = guest.memory.lock(held);
        *memory.pinned.entry(address).or_insert(0) += 1;
        out.instruction(Instruction::Pin(address));
        memory.gisc[usize::from(isc & 7)] += 1;
        out.instruction(Instruction::GiscRegister(guest.name.clone(), isc));
    }

    fn let_go(&self, irq: &IrqResources, held: &mut Held<'_, MdevsLevel>, out: &dyn Sink) {
        let guest = self.vms.read(held).0.iter().find(|guest| guest.name == irq.guest).cloned();
        if let Some(guest) = guest {
            let (mut memory, _held) = guest.memory.lock(held);
            let registered = &mut memory.gisc[usize::from(irq.isc & 7)];
            *registered = registered.saturating_sub(1);
            if let Some(count) = memory.pinned.get_mut(&irq.address) {
                *count -= 1;
                if *count == 0 {
                    memory.pinned.remove(&irq.address);
                }
            }
        }
        out.instruction(Instruction::GiscUnregister(irq.guest.clone(), irq.isc));
        out.instruction(Instruction::Unpin(irq.address));
    }

    /// Frees what a queue's interrupts hold.
    pub(crate) fn free_irq(
        &self,
        apqn: Apqn,
        mdevs: &mut Mdevs,
        held: &mut Held<'_, MdevsLevel>,
        out: &dyn Sink,
    ) {
        let irq = mdevs.queues.get_mut(&apqn.to_u16()).and_then(|record| record.irq.take());
        if let Some(irq) = irq {
            self.let_go(&irq, held, out);
        }
    }

    /// A page of a guest goes: the interrupts that use it are switched off.
    ///
    /// # Locks
    /// M.
    pub fn guest_unmap(&self, guest: &Guest, address: u64, held: &mut Held<'_, Nothing>, out: &dyn Sink) {
        let (mut mdevs, mut held) = self.mdevs.lock(held);
        let page = address & !0xfff;
        let users: Vec<Apqn> = mdevs
            .queues
            .iter()
            .filter(|(_, record)| {
                record.irq.as_ref().is_some_and(|irq| irq.guest == guest.name && irq.address & !0xfff == page)
            })
            .map(|(apqn, _)| Apqn::from_u16(*apqn))
            .collect();
        for apqn in users {
            self.irq_disable(apqn, &mut mdevs, &mut held, out);
        }
    }
}
