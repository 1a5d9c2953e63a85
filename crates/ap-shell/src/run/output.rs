//! Where output goes: printed, collected for a file or a `$(…)`, or dropped.
//!
//! It knows streams and bytes, and neither commands nor paths.

use crate::outcome::Stream;

/// Bytes that all words of a command, all variables, or a command's captured output may have.
pub(crate) const MAX_BYTES: usize = 16 << 20;

/// Where a stream goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Channel {
    /// To whoever runs the shell.
    Print(Stream),
    /// Into the buffer of that index.
    Capture(usize),
    /// Nowhere.
    Drop,
}

/// Where the two streams go now, and what is being collected.
pub(crate) struct Output<'a> {
    sink: &'a mut dyn FnMut(Stream, &str),
    /// Where answers go.
    pub out: Channel,
    /// Where complaints go.
    pub err: Channel,
    buffers: Vec<Vec<u8>>,
}

impl<'a> Output<'a> {
    /// Both streams go to `sink`.
    pub fn new(sink: &'a mut dyn FnMut(Stream, &str)) -> Output<'a> {
        let (out, err) = (Channel::Print(Stream::Out), Channel::Print(Stream::Err));
        Output { sink, out, err, buffers: Vec::new() }
    }

    /// Both channels, to be put back by [`Output::restore`].
    pub fn channels(&self) -> (Channel, Channel) {
        (self.out, self.err)
    }

    /// Puts both channels back.
    pub fn restore(&mut self, channels: (Channel, Channel)) {
        (self.out, self.err) = channels;
    }

    /// How many buffers there are.
    pub fn depth(&self) -> usize {
        self.buffers.len()
    }

    /// A channel into a new buffer.
    pub fn capture(&mut self) -> Channel {
        self.buffers.push(Vec::new());
        Channel::Capture(self.buffers.len() - 1)
    }

    /// What was collected in the buffers from the one of index `first` on, which are gone then.
    pub fn collected(&mut self, first: usize) -> Vec<Vec<u8>> {
        self.buffers.split_off(first)
    }

    /// Sends bytes into a channel.
    pub fn emit(&mut self, channel: Channel, bytes: &[u8]) {
        match channel {
            Channel::Print(_) if bytes.is_empty() => {}
            Channel::Print(stream) => (self.sink)(stream, &String::from_utf8_lossy(bytes)),
            Channel::Capture(index) => {
                // One byte more than allowed shows that it was too much.
                let buffer = &mut self.buffers[index];
                let room = (MAX_BYTES + 1).saturating_sub(buffer.len());
                buffer.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Channel::Drop => {}
        }
    }
}
