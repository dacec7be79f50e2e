//! What a run logs, down to the last trace, on whichever of its threads.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::Dispatch;
use tracing::dispatcher::set_default;

/// The lines that were logged.
#[derive(Clone, Default)]
pub(super) struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    /// Does `work` on a runtime of its own and captures what its threads log, those for blocking work included. Tests
    /// that run at the same time have threads of their own.
    pub(super) fn watch(work: impl AsyncFnOnce(Self)) {
        let logs = Self::default();
        let capture = logs.capture();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .on_thread_start({
                let capture = capture.clone();
                // For as long as the thread lives.
                move || std::mem::forget(set_default(&capture))
            })
            .build()
            .unwrap();
        let _capturing = set_default(&capture);
        runtime.block_on(work(logs));
    }

    /// Forgets what was logged so far.
    pub(super) fn forget(&self) {
        self.0.lock().clear();
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }

    fn capture(&self) -> Dispatch {
        let lines = self.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || lines.clone())
            .into()
    }
}

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_logged_where_files_are_read_is_captured_like_the_rest() {
    Logs::watch(async |logs| {
        tracing::trace!("planted here");
        tokio::task::spawn_blocking(|| tracing::trace!("planted on a blocking thread")).await.unwrap();
        for planted in ["planted here", "planted on a blocking thread"] {
            assert!(logs.text().contains(planted), "{}", logs.text());
        }
        logs.forget();
        std::thread::spawn(|| tracing::trace!("planted elsewhere")).join().unwrap();
        assert_eq!(logs.text(), "");
    });
}
