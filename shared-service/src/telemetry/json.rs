//! One event as one flat JSON object.

use std::fmt;

use chrono::SecondsFormat;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::clock;

/// Writes `{"timestamp":…,"level":…,"service":…,"target":…,"message":…}` with the fields of the event and its spans.
pub(super) struct OneObject {
    service: &'static str,
}

impl OneObject {
    pub(super) const fn new(service: &'static str) -> Self {
        Self { service }
    }
}

impl<S, N> FormatEvent<S, N> for OneObject
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut object = Map::new();
        // Outermost first: an inner span's field of the same name wins, and the event's own over both.
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>().map(|fields| fields.fields.as_str());
            if let Some(Ok(Value::Object(fields))) = fields.map(serde_json::from_str) {
                object.extend(fields.into_iter().filter(|(_, value)| value.as_str() != Some("")));
            }
        }
        event.record(&mut Fields(&mut object));
        let metadata = event.metadata();
        let now = clock::utc_now().to_rfc3339_opts(SecondsFormat::Micros, true);
        object.insert("timestamp".to_owned(), now.into());
        object.insert("level".to_owned(), metadata.level().as_str().into());
        object.insert("service".to_owned(), self.service.into());
        object.insert("target".to_owned(), metadata.target().into());
        writeln!(writer, "{}", Value::Object(object))
    }
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::fmt::format::JsonFields;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Buffer {
        type Writer = Self;
        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn every_line_is_one_object_with_the_request_id_at_its_top() {
        let buffer = Buffer::default();
        let layer = tracing_subscriber::fmt::layer()
            .fmt_fields(JsonFields::new())
            .event_format(OneObject::new("sync-worker"))
            .with_writer(buffer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let outer = tracing::info_span!("outer", request_id = "r-1", attempt = 2);
            outer.in_scope(|| {
                let inner = tracing::info_span!("inner", request_id = "", job_id = %"j-1");
                inner.in_scope(|| tracing::warn!(error = %"line one\nline two", "did \"it\""));
            });
        });
        let written = String::from_utf8(buffer.0.lock().clone()).unwrap();
        assert_eq!(written.lines().count(), 1);
        let line: Value = serde_json::from_str(&written).unwrap();
        assert_eq!((&line["request_id"], &line["job_id"], &line["attempt"]), (&"r-1".into(), &"j-1".into(), &2.into()));
        assert_eq!((&line["level"], &line["service"]), (&"WARN".into(), &"sync-worker".into()));
        assert_eq!(line["message"], "did \"it\"");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }
}
