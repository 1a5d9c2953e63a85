//! The open files, each with the text that it was shown. What is in the tree is not known here.

use ap_sysfs::{DeviceNumber, Entry, Ino};

/// An open attribute: what show said when it was last asked, as sysfs keeps it.
pub struct Handle {
    pub entry: Entry,
    /// Whether it was read since it was opened.
    pub seen: bool,
    /// The device, if it is the file that serves one.
    pub device: Option<DeviceNumber>,
    /// Who waits for it by poll(2): the key that was given last.
    pub waiter: Option<u64>,
    text: Option<Vec<u8>>,
    position: u64,
}

impl Handle {
    pub fn new(entry: Entry) -> Handle {
        Handle { entry, seen: false, device: None, waiter: None, text: None, position: 0 }
    }

    pub fn of_device(entry: Entry, device: DeviceNumber) -> Handle {
        Handle { device: Some(device), ..Handle::new(entry) }
    }

    /// Whether a read at `offset` continues the text that is here; else show has to be asked.
    pub fn continues(&self, offset: u64) -> bool {
        self.text.is_some() && offset != 0 && offset == self.position
    }

    /// Keeps what show said for a read at `offset`. The tree cuts attributes at a page; control files, which no real
    /// host has, may be longer.
    pub fn shown(&mut self, text: Vec<u8>, offset: u64) {
        self.text = Some(text);
        self.position = offset;
    }

    /// The next at most `size` bytes of the text at `offset`.
    pub fn take(&mut self, offset: u64, size: usize) -> &[u8] {
        let text = self.text.as_deref().unwrap_or_default();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
        let end = start.saturating_add(size).min(text.len());
        self.position = offset + (end - start) as u64;
        &text[start..end]
    }
}

/// All open files by their numbers, which are used again.
#[derive(Default)]
pub struct Handles {
    slots: Vec<Option<Handle>>,
    free: Vec<usize>,
}

impl Handles {
    pub fn insert(&mut self, handle: Handle) -> u64 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(handle);
        slot as u64
    }

    pub fn get(&mut self, number: u64) -> Option<&mut Handle> {
        self.slots.get_mut(usize::try_from(number).ok()?)?.as_mut()
    }

    pub fn remove(&mut self, number: u64) {
        let Ok(slot) = usize::try_from(number) else { return };
        if self.slots.get_mut(slot).is_some_and(|handle| handle.take().is_some()) {
            self.free.push(slot);
        }
    }

    /// Who waits by poll(2), and for which nodes.
    pub fn waiting(&self) -> Vec<(u64, Ino)> {
        let open = self.slots.iter().flatten();
        open.filter_map(|handle| handle.waiter.map(|key| (key, handle.entry.ino))).collect()
    }

    /// What an open file of that node was when it was opened.
    pub fn entry_of(&self, ino: Ino) -> Option<Entry> {
        self.slots.iter().flatten().find(|handle| handle.entry.ino == ino).map(|handle| handle.entry.clone())
    }
}
