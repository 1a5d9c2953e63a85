//! How the simulated machine answers the instructions.

use ap_types::{AdapterId, Apqn, HardwareInfo, HostConfig, Mode, ResponseCode, Status};
use locks::Held;

use super::{HwQueue, Machine, MachineConfig};
use crate::event::{Instruction, Sink};
use crate::hardware::{AdapterFacts, Facilities, Hardware};
use crate::order::Queue;

impl MachineConfig {
    /// What a queue answers before its own state counts: `None` where that decides.
    fn answer(&self, apqn: Apqn, queue: &HwQueue) -> Option<ResponseCode> {
        let adapter = self.adapters.get(&apqn.adapter.0).filter(|adapter| adapter.hwtype != 0);
        let configured = self.qci.adapters.contains(apqn.adapter) && self.qci.domains.contains(apqn.domain);
        let Some(adapter) = adapter.filter(|_| configured && queue.rc != ResponseCode::Q_NOT_AVAIL.0) else {
            return Some(ResponseCode::Q_NOT_AVAIL);
        };
        if adapter.deconfigured {
            Some(ResponseCode::DECONFIGURED)
        } else if adapter.checkstopped {
            Some(ResponseCode::CHECKSTOPPED)
        } else if queue.rc != 0 {
            Some(ResponseCode(queue.rc))
        } else {
            None
        }
    }
}

impl HwQueue {
    fn status(&self, code: ResponseCode) -> Status {
        Status::new(code).with_queue_empty(true).with_irq_enabled(self.irq)
    }

    fn reset(&mut self, unbind: bool) -> ResponseCode {
        if self.zrc.1 > 0 {
            self.zrc.1 -= 1;
            return ResponseCode(self.zrc.0);
        }
        self.irq = false;
        self.rip = self.resetlat;
        if unbind && self.bs <= 1 {
            self.bs = 2;
            self.associated = 0;
        }
        ResponseCode::NORMAL
    }

    fn test(&mut self) -> ResponseCode {
        if self.trc.1 > 0 {
            self.trc.1 -= 1;
            return ResponseCode(self.trc.0);
        }
        if self.busy > 0 {
            self.busy -= 1;
            return ResponseCode::BUSY;
        }
        if self.rip > 0 {
            self.rip -= 1;
            return ResponseCode::RESET_IN_PROGRESS;
        }
        ResponseCode::NORMAL
    }
}

impl Machine {
    /// One instruction on a queue: `usual` says what it answers and does where nothing is wrong.
    fn instruction(
        &self,
        apqn: Apqn,
        held: &mut Held<'_, Queue>,
        usual: impl FnOnce(&mut HwQueue, &MachineConfig) -> ResponseCode,
    ) -> (Status, bool) {
        let (config, mut held) = self.config.read(held);
        let (mut queue, _held) = self.queue(apqn).lock(&mut held);
        let code = match config.answer(apqn, &queue) {
            Some(code) => code,
            None => usual(&mut queue, &config),
        };
        (queue.status(code), config.log)
    }
}

impl Hardware for Machine {
    fn facilities(&self, held: &mut Held<'_, Queue>) -> Facilities {
        self.config.read(held).0.facilities
    }

    fn qci(&self, held: &mut Held<'_, Queue>) -> HostConfig {
        self.config.read(held).0.qci
    }

    fn tapq(&self, apqn: Apqn, held: &mut Held<'_, Queue>) -> (Status, HardwareInfo) {
        let (config, mut held) = self.config.read(held);
        let (mut queue, _held) = self.queue(apqn).lock(&mut held);
        let code = match config.answer(apqn, &queue) {
            Some(code) => code,
            None => queue.test(),
        };
        let info = match code {
            ResponseCode::Q_NOT_AVAIL => HardwareInfo::default(),
            _ => config.info(apqn, queue.bs),
        };
        (queue.status(code), info)
    }

    fn rapq(&self, apqn: Apqn, unbind: bool, held: &mut Held<'_, Queue>, out: &dyn Sink) -> Status {
        let (status, log) = self.instruction(apqn, held, |queue, _| queue.reset(unbind));
        if log {
            out.instruction(Instruction::Rapq(apqn, status.response_code(), unbind));
        }
        status
    }

    fn zapq(&self, apqn: Apqn, held: &mut Held<'_, Queue>, out: &dyn Sink) -> Status {
        let (status, log) = self.instruction(apqn, held, |queue, _| queue.reset(false));
        if log {
            out.instruction(Instruction::Zapq(apqn, status.response_code()));
        }
        status
    }

    fn aqic(&self, apqn: Apqn, on: bool, held: &mut Held<'_, Queue>, out: &dyn Sink) -> Status {
        let (status, log) = self.instruction(apqn, held, |queue, _| {
            if std::mem::replace(&mut queue.irq, on) == on {
                ResponseCode::OTHERWISE_CHANGED
            } else {
                ResponseCode::NORMAL
            }
        });
        if log {
            out.instruction(Instruction::Aqic(apqn, on, status.response_code()));
        }
        status
    }

    fn qact(&self, apqn: Apqn, held: &mut Held<'_, Queue>, out: &dyn Sink) -> Option<u8> {
        let (status, log) = self.instruction(apqn, held, |_, _| ResponseCode::NORMAL);
        if log {
            out.instruction(Instruction::Qact(apqn));
        }
        (status.response_code() == ResponseCode::NORMAL).then_some(ap_types::NEWEST_TYPE)
    }

    fn bapq(&self, apqn: Apqn, held: &mut Held<'_, Queue>, out: &dyn Sink) -> Status {
        let (status, log) = self.instruction(apqn, held, |queue, config| {
            let ep11 = config.info(apqn, 0).mode() == Mode::Ep11;
            queue.bs = u8::from(ep11);
            ResponseCode::NORMAL
        });
        if log {
            out.instruction(Instruction::Bapq(apqn, status.response_code()));
        }
        status
    }

    fn aapq(&self, apqn: Apqn, secret: u16, held: &mut Held<'_, Queue>, out: &dyn Sink) -> Status {
        let (status, log) = self.instruction(apqn, held, |queue, _| {
            queue.bs = 0;
            queue.associated = u32::from(secret) + 1;
            ResponseCode::NORMAL
        });
        if log {
            out.instruction(Instruction::Aapq(apqn, secret, status.response_code()));
        }
        status
    }

    fn associated(&self, apqn: Apqn, held: &mut Held<'_, Queue>) -> Option<u16> {
        self.queue(apqn).lock(held).0.associated.checked_sub(1).and_then(|secret| u16::try_from(secret).ok())
    }

    fn configure(&self, adapter: AdapterId, on: bool, held: &mut Held<'_, Queue>, out: &dyn Sink) {
        let (mut config, _held) = self.config.write(held);
        if let Some(adapter) = config.adapters.get_mut(&adapter.0) {
            adapter.deconfigured = !on;
        }
        if config.log {
            out.instruction(if on {
                Instruction::SclpConfigure(adapter)
            } else {
                Instruction::SclpDeconfigure(adapter)
            });
        }
    }

    fn ask(&self, apqn: Apqn, held: &mut Held<'_, Queue>) -> Option<AdapterFacts> {
        let (config, mut held) = self.config.read(held);
        let (queue, _held) = self.queue(apqn).lock(&mut held);
        if config.answer(apqn, &queue).is_some() {
            return None;
        }
        let serial = config.adapters.get(&apqn.adapter.0)?.serial.clone()?;
        Some(AdapterFacts {
            serial,
            api_ordinal: 6,
            firmware: (8, 0),
            op_modes: "FIPS2009 BSI2009 FIPS2011 BSI2011 BSICC2017".into(),
        })
    }
}
