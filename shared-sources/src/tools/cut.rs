//! Counts the texts of which only the beginning is searched.

use super::text::MAX_TEXT_BYTES;
use crate::Source;

/// Counts a text of `bytes` if it is longer than what is searched; returns whether it is.
pub(crate) fn count(source: Source, bytes: u64) -> bool {
    let is_cut = bytes > u64::try_from(MAX_TEXT_BYTES).unwrap_or(u64::MAX);
    if is_cut {
        add(source, 1);
    }
    is_cut
}

/// Makes the counters of the sources that people use visible before there is anything to count.
pub fn start_at_zero() {
    for source in Source::ALL.iter().filter(|source| !source.definition().is_internal) {
        add(*source, 0);
    }
}

fn add(source: Source, texts: u64) {
    metrics::counter!("unweave_texts_cut_total", "source" => source.as_str()).increment(texts);
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
    use parking_lot::Mutex;

    use super::*;

    /// Counts by the value of the first label.
    #[derive(Default)]
    pub(crate) struct Counted(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

    impl Recorder for Counted {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            let label = key.labels().next().unwrap().value().to_owned();
            Counter::from_arc(self.0.lock().entry(label).or_default().clone())
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
        pub(crate) fn texts(&self) -> Vec<(String, u64)> {
            let counters = self.0.lock();
            counters.iter().map(|(source, count)| (source.clone(), count.load(Ordering::Relaxed))).collect()
        }
    }

    #[test]
    fn every_source_is_counted_from_zero() {
        let counted = Counted::default();
        metrics::with_local_recorder(&counted, start_at_zero);
        let texts = counted.texts();
        assert!(
            texts.contains(&("postgresql".to_owned(), 0)) && texts.iter().all(|(_, count)| *count == 0),
            "{texts:?}"
        );
        let longest = u64::try_from(MAX_TEXT_BYTES).unwrap();
        let is_cut = |bytes| metrics::with_local_recorder(&counted, || count(Source::Files, bytes));
        assert!(!is_cut(longest) && is_cut(longest + 1));
        assert!(counted.texts().contains(&("files".to_owned(), 1)));
    }
}
