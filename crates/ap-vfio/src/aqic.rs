//! A guest's interrupt request, intercepted, and what interrupts hold. (Page 3, "AQIC by the guest".)

use ap_task::order::Mdevs as MdevsLevel;
use ap_task::{Instruction, Task};
use ap_types::{Apqn, ResponseCode};
use locks::Nothing;

use crate::driver::VfioAp;
use crate::guest::Guest;
use crate::state::{IrqResources, Mdevs};

/// Milliseconds between two looks at an interrupt that is being switched off.
const INTERVAL: u64 = 20;
/// How often AQIC is tried again.
const RETRIES: usize = 5;
/// Enable: bit 16 of GR1.
const IR: u64 = 1 << 47;

fn failed(code: ResponseCode) -> u64 {
    u64::from(code.0) << 16
}

impl VfioAp {
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
        task: &mut Task<'_, Nothing>,
    ) -> u64 {
        // Lock order: V -> H (read) -> M
        let (_vcpu, mut task) = task.lock(&guest.vcpu);
        let (hook, mut task) = task.read(&guest.hook);
        let Some(id) = *hook else {
            let gr1 = failed(ResponseCode::Q_NOT_AVAIL);
            task.instruction(Instruction::Pqap(true, gr1));
            return gr1;
        };
        let apqn = Apqn::from_u16(gr0 as u16);
        let (mut mdevs, mut task) = task.write(&self.mdevs);
        let status = if mdevs.linked_mdev(apqn) != Some(id) {
            failed(ResponseCode::Q_NOT_AVAIL)
        } else if gr1 & IR != 0 {
            self.irq_enable(guest, apqn, (gr1 & 7) as u8, gr2, &mut mdevs, &mut task)
        } else {
            self.irq_disable(apqn, &mut mdevs, &mut task)
        };
        task.instruction(Instruction::Pqap(false, status));
        status
    }

    fn irq_enable(
        &self,
        guest: &Guest,
        apqn: Apqn,
        isc: u8,
        address: u64,
        mdevs: &mut Mdevs,
        task: &mut Task<'_, MdevsLevel>,
    ) -> u64 {
        if address == 0 {
            return failed(ResponseCode::INVALID_ADDRESS);
        }
        self.hold_irq(guest, isc, address, task);
        let status = self.hw.aqic(apqn, true, &mut task.at());
        let new = IrqResources { isc, address, guest: guest.name.clone() };
        match status.response_code() {
            ResponseCode::NORMAL => {
                self.free_irq(apqn, mdevs, task);
                if let Some(record) = mdevs.queues.get_mut(&apqn) {
                    record.irq = Some(new);
                }
            }
            ResponseCode::OTHERWISE_CHANGED => self.let_go(&new, task),
            code => {
                task.log(4, format!("vfio_ap_irq_enable: apqn {:04x}: response: {code}", apqn.to_u16()));
                self.let_go(&new, task);
                self.irq_disable(apqn, mdevs, task);
            }
        }
        u64::from(status.to_u32())
    }

    /// Switches a queue's interrupts off, waits until they are, and frees what they hold.
    pub(crate) fn irq_disable(&self, apqn: Apqn, mdevs: &mut Mdevs, task: &mut Task<'_, MdevsLevel>) -> u64 {
        let mut status = self.hw.aqic(apqn, false, &mut task.at());
        for _ in 0..RETRIES {
            match status.response_code() {
                ResponseCode::RESET_IN_PROGRESS | ResponseCode::BUSY => {
                    self.hw.clock().sleep(INTERVAL);
                    status = self.hw.aqic(apqn, false, &mut task.at());
                }
                _ => break,
            }
        }
        if matches!(status.response_code(), ResponseCode::NORMAL | ResponseCode::OTHERWISE_CHANGED) {
            for attempt in 0..RETRIES {
                if attempt > 0 {
                    self.hw.clock().sleep(INTERVAL);
                }
                if !self.hw.tapq(apqn, &mut task.at()).0.irq_enabled() {
                    break;
                }
            }
        }
        self.free_irq(apqn, mdevs, task);
        u64::from(status.to_u32())
    }

    /// Pins a page and registers an interruption subclass.
    fn hold_irq(&self, guest: &Guest, isc: u8, address: u64, task: &mut Task<'_, MdevsLevel>) {
        let (mut memory, task) = task.lock(&guest.memory);
        *memory.pinned.entry(address).or_insert(0) += 1;
        task.instruction(Instruction::Pin(address));
        memory.gisc[usize::from(isc & 7)] += 1;
        task.instruction(Instruction::GiscRegister(guest.name.clone(), isc));
    }

    fn let_go(&self, irq: &IrqResources, task: &mut Task<'_, MdevsLevel>) {
        let guest = self.vms.read(task).0.iter().find(|guest| guest.name == irq.guest).cloned();
        if let Some(guest) = guest {
            let (mut memory, _task) = task.lock(&guest.memory);
            let registered = &mut memory.gisc[usize::from(irq.isc & 7)];
            *registered = registered.saturating_sub(1);
            if let Some(count) = memory.pinned.get_mut(&irq.address) {
                *count -= 1;
                if *count == 0 {
                    memory.pinned.remove(&irq.address);
                }
            }
        }
        task.instruction(Instruction::GiscUnregister(irq.guest.clone(), irq.isc));
        task.instruction(Instruction::Unpin(irq.address));
    }

    /// Frees what a queue's interrupts hold.
    pub(crate) fn free_irq(&self, apqn: Apqn, mdevs: &mut Mdevs, task: &mut Task<'_, MdevsLevel>) {
        let irq = mdevs.queues.get_mut(&apqn).and_then(|record| record.irq.take());
        if let Some(irq) = irq {
            self.let_go(&irq, task);
        }
    }

    /// A page of a guest goes: the interrupts that use it are switched off.
    ///
    /// # Locks
    /// M.
    pub fn guest_unmap(&self, guest: &Guest, address: u64, task: &mut Task<'_, Nothing>) {
        let (mut mdevs, mut task) = task.write(&self.mdevs);
        let page = address & !0xfff;
        let users: Vec<Apqn> = mdevs
            .queues
            .iter()
            .filter(|(_, record)| {
                record.irq.as_ref().is_some_and(|irq| irq.guest == guest.name && irq.address & !0xfff == page)
            })
            .map(|(apqn, _)| *apqn)
            .collect();
        for apqn in users {
            self.irq_disable(apqn, &mut mdevs, &mut task);
        }
    }
}
