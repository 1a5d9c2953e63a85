//! How the simulated machine answers the instructions.

use ap_task::order::{HwConfig, Queue};
use ap_task::{Instruction, Task};
use ap_types::{AdapterId, Apqn, HardwareInfo, HostConfig, Mode, ResponseCode, Status};
use locks::{Clock, Held};

use crate::hardware::{AdapterFacts, Facilities, Hardware, Unanswered};
use crate::keys::MasterKeys;
use crate::machine::{HwQueue, Machine, MachineConfig};

impl MachineConfig {
    /// What a queue answers before its own state counts: `None` where that decides.
    fn answer(&self, apqn: Apqn, queue: &HwQueue) -> Option<ResponseCode> {
        let adapter = self.adapters.get(&apqn.adapter).filter(|adapter| adapter.hwtype != 0);
        let configured = self.qci.adapters.contains(apqn.adapter) && self.qci.domains.contains(apqn.domain);
        let Some(adapter) = adapter.filter(|_| configured && queue.rc != ResponseCode::Q_NOT_AVAIL) else {
            return Some(ResponseCode::Q_NOT_AVAIL);
        };
        if adapter.deconfigured {
            Some(ResponseCode::DECONFIGURED)
        } else if adapter.checkstopped {
            Some(ResponseCode::CHECKSTOPPED)
        } else if queue.rc != ResponseCode::NORMAL {
            Some(queue.rc)
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
        if let Some(code) = self.resets.next() {
            return code;
        }
        self.irq = false;
        self.rip = self.resetlat;
        if unbind && self.bs <= 1 {
            self.bs = 2;
        }
        ResponseCode::NORMAL
    }

    fn test(&mut self) -> ResponseCode {
        if let Some(code) = self.tests.next() {
            return code;
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
        usual: impl Fn(&mut HwQueue, &MachineConfig) -> ResponseCode,
    ) -> (Status, bool) {
        locks::only(|| {
            let (config, mut held) = self.config.read(held);
            (self.execute(apqn, &config, &mut held, usual).0, config.log)
        })
    }

    /// What a queue answers, and what it is then. One that changes nothing (most do, where resets take no time) only
    /// looks, so that it does not meet others that do.
    fn execute(
        &self,
        apqn: Apqn,
        config: &MachineConfig,
        held: &mut Held<'_, HwConfig>,
        usual: impl Fn(&mut HwQueue, &MachineConfig) -> ResponseCode,
    ) -> (Status, HwQueue) {
        let execute = |queue: &HwQueue| {
            let mut after = *queue;
            let code = config.answer(apqn, queue).unwrap_or_else(|| usual(&mut after, config));
            (after.status(code), after)
        };
        let looked = self.queue(apqn).look(held, |queue| {
            let (status, after) = execute(queue);
            (after == *queue).then_some((status, after))
        });
        looked.unwrap_or_else(|| {
            let (mut queue, _held) = self.queue(apqn).lock(held);
            let (status, after) = execute(&queue);
            *queue = after;
            (status, after)
        })
    }
}

impl Hardware for Machine {
    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn facilities(&self, held: &mut Held<'_, Queue>) -> Facilities {
        self.config.look(held, |config| config.facilities)
    }

    fn qci(&self, held: &mut Held<'_, Queue>) -> HostConfig {
        self.config.look(held, |config| config.qci)
    }

    fn tapq(&self, apqn: Apqn, held: &mut Held<'_, Queue>) -> (Status, HardwareInfo) {
        locks::only(|| {
            let (config, mut held) = self.config.read(held);
            let (status, queue) = self.execute(apqn, &config, &mut held, |queue, _| queue.test());
            let info = match status.response_code() {
                ResponseCode::Q_NOT_AVAIL => HardwareInfo::default(),
                _ => config.info(apqn, queue.bs),
            };
            (status, info)
        })
    }

    fn rapq(&self, apqn: Apqn, unbind: bool, task: &mut Task<'_, Queue>) -> Status {
        let (status, log) = self.instruction(apqn, task, |queue, _| queue.reset(unbind));
        if log {
            task.instruction(Instruction::Rapq(apqn, status.response_code(), unbind));
        }
        status
    }

    fn zapq(&self, apqn: Apqn, task: &mut Task<'_, Queue>) -> Status {
        let (status, log) = self.instruction(apqn, task, |queue, _| queue.reset(false));
        if log {
            task.instruction(Instruction::Zapq(apqn, status.response_code()));
        }
        status
    }

    fn aqic(&self, apqn: Apqn, on: bool, task: &mut Task<'_, Queue>) -> Status {
        let (status, log) = self.instruction(apqn, task, |queue, _| {
            if std::mem::replace(&mut queue.irq, on) == on {
                ResponseCode::OTHERWISE_CHANGED
            } else {
                ResponseCode::NORMAL
            }
        });
        if log {
            task.instruction(Instruction::Aqic(apqn, on, status.response_code()));
        }
        status
    }

    fn qact(&self, apqn: Apqn, task: &mut Task<'_, Queue>) -> Option<u8> {
        let (status, log) = self.instruction(apqn, task, |_, _| ResponseCode::NORMAL);
        if log {
            task.instruction(Instruction::Qact(apqn));
        }
        (status.response_code() == ResponseCode::NORMAL).then_some(ap_types::NEWEST_TYPE)
    }

    fn bapq(&self, apqn: Apqn, task: &mut Task<'_, Queue>) -> Status {
        let (status, log) = self.instruction(apqn, task, |queue, config| {
            let ep11 = config.info(apqn, 0).mode() == Mode::Ep11;
            queue.bs = u8::from(ep11);
            ResponseCode::NORMAL
        });
        if log {
            task.instruction(Instruction::Bapq(apqn, status.response_code()));
        }
        status
    }

    fn aapq(&self, apqn: Apqn, secret: u16, task: &mut Task<'_, Queue>) -> Status {
        let (status, log) = self.instruction(apqn, task, |queue, _| {
            queue.bs = 0;
            ResponseCode::NORMAL
        });
        if log {
            task.instruction(Instruction::Aapq(apqn, secret, status.response_code()));
        }
        status
    }

    fn configure(&self, adapter: AdapterId, on: bool, task: &mut Task<'_, Queue>) {
        let (mut config, task) = task.write(&self.config);
        if let Some(adapter) = config.adapters.get_mut(&adapter) {
            adapter.deconfigured = !on;
        }
        if config.log {
            task.instruction(if on {
                Instruction::SclpConfigure(adapter)
            } else {
                Instruction::SclpDeconfigure(adapter)
            });
        }
    }

    fn ask(&self, apqn: Apqn, held: &mut Held<'_, Queue>) -> Result<AdapterFacts, Unanswered> {
        let (config, mut held) = self.config.read(held);
        let (queue, _held) = self.queue(apqn).lock(&mut held);
        match config.answer(apqn, &queue) {
            None => {}
            Some(ResponseCode::Q_NOT_AVAIL | ResponseCode::DECONFIGURED | ResponseCode::CHECKSTOPPED) => {
                return Err(Unanswered::NotTaken);
            }
            Some(_) => return Err(Unanswered::Refused),
        }
        let adapter = config.adapters.get(&apqn.adapter);
        let serial = adapter.and_then(|adapter| adapter.serial.clone()).ok_or(Unanswered::Refused)?;
        let usual = MasterKeys::usual(config.info(apqn, 0).mode(), apqn.domain);
        Ok(AdapterFacts {
            serial,
            api_ordinal: 6,
            firmware: (8, 0),
            op_modes: "FIPS2009 BSI2009 FIPS2011 BSI2011 BSICC2017".into(),
            keys: queue.keys.apply(usual),
        })
    }
}
