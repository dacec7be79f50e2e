//! A buffer that its writer fills and somebody else empties: what is written goes out page by page.

use std::io::{Result, Write};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

/// Shared by whoever writes and whoever takes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    /// What was written since the last time.
    pub(crate) fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock()).into()
    }
}

impl Write for Buffer {
    fn write(&mut self, written: &[u8]) -> Result<usize> {
        self.0.lock().extend_from_slice(written);
        Ok(written.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
