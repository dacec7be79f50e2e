//! Counts the texts of which only the beginning is searched.

use super::text::MAX_TEXT_BYTES;

/// A source that may have texts longer than [`MAX_TEXT_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LongTexts {
    Files,
    Github,
    Postgresql,
}

impl LongTexts {
    const ALL: [Self; 3] = [Self::Files, Self::Github, Self::Postgresql];

    /// Counts a text of `bytes` if it is longer than what is searched; returns whether it is.
    pub(super) fn count(self, bytes: u64) -> bool {
        let is_cut = bytes > u64::try_from(MAX_TEXT_BYTES).unwrap_or(u64::MAX);
        if is_cut {
            self.add(1);
        }
        is_cut
    }

    /// Makes the counters visible before there is anything to count.
    pub(crate) fn start_at_zero() {
        for source in Self::ALL {
            source.add(0);
        }
    }

    fn add(self, texts: u64) {
        metrics::counter!("unweave_texts_cut_total", "source" => self.as_str()).increment(texts);
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Github => "github",
            Self::Postgresql => "postgresql",
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};

    use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

    use super::*;

    /// Counts by the value of the first label.
    #[derive(Default)]
    pub(in crate::sources) struct Counted(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

    impl Recorder for Counted {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            let label = key.labels().next().unwrap().value().to_owned();
            Counter::from_arc(self.0.lock().unwrap().entry(label).or_default().clone())
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    impl Counted {
        /// How many texts were cut, by source.
        pub(in crate::sources) fn texts(&self) -> Vec<(String, u64)> {
            let counters = self.0.lock().unwrap();
            counters.iter().map(|(source, count)| (source.clone(), count.load(Ordering::Relaxed))).collect()
        }
    }

    #[test]
    fn every_source_is_counted_from_zero() {
        let counted = Counted::default();
        metrics::with_local_recorder(&counted, LongTexts::start_at_zero);
        assert_eq!(counted.texts(), ["files", "github", "postgresql"].map(|source| (source.to_owned(), 0)));
        let longest = u64::try_from(MAX_TEXT_BYTES).unwrap();
        let is_cut = |bytes| metrics::with_local_recorder(&counted, || LongTexts::Files.count(bytes));
        assert!(!is_cut(longest) && is_cut(longest + 1));
        assert_eq!(counted.texts()[0], ("files".to_owned(), 1));
    }
}
