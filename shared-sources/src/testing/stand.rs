//! The made-up worlds of the sources for tests. Nothing of them can be unreadable.

use serde_json::{Value, json};

use crate::conformance::{Asked, Silence, Stand};
use crate::{Source, SourceAccess};

const KEY: &str = "geheim-hunter2";

fn asked(source: Source, config: &Value) -> Asked {
    let given = config.as_object().unwrap();
    let mut valid = source.check_config(&serde_json::Map::new(), None).unwrap();
    // More entities than the catalogue takes, where memory is measured.
    valid.extend(given.clone());
    let key = if source == Source::Timed { "timed_key" } else { "stub_key" };
    Asked { config: valid.into(), credentials: json!({key: KEY}), access: SourceAccess::for_tests(|_| {}) }
}

macro_rules! stand {
    ($stand:ident of $source:ident, $start:tt, fails with $failure:expr) => {
        pub(crate) struct $stand(Value);

        impl Stand for $stand {
            const SOURCE: Source = Source::$source;

            async fn start() -> Self {
                Self(json!($start))
            }

            fn asked(&self) -> Asked {
                asked(Self::SOURCE, &self.0)
            }

            fn secret(&self) -> Option<String> {
                Some(KEY.to_owned())
            }

            async fn empty(&mut self) -> Option<usize> {
                None
            }

            async fn hide(&mut self) -> Option<String> {
                None
            }

            async fn add_odd(&mut self) -> Option<String> {
                None
            }

            async fn fail(&mut self) -> Option<&'static str> {
                let failure: Option<(&str, Value, &'static str)> = $failure;
                let (field, value, reason) = failure?;
                self.0[field] = value;
                Some(reason)
            }

            async fn fall_silent(&mut self, _step: usize) -> Option<Silence> {
                None
            }

            async fn fill(&mut self, entities: usize) -> bool {
                self.0["entity_count"] = (entities + 1).into();
                true
            }

            async fn fill_with_one(&mut self) -> bool {
                false
            }
        }
    };
}

stand!(TimedStand of Timed, {"entity_count": 3, "duration_seconds": 0.1}, fails with None);
stand!(StubStand of Stub, {"entity_count": 5}, fails with Some(("fail_after", json!(2), "simulated failure")));
stand!(IncrementalStubStand of IncrementalStub, {"entity_count": 5}, fails with None);
stand!(ExceptionStubStand of ExceptionStub, {"entity_count": 5, "trigger_after": 1_000_000_000},
       fails with Some(("trigger_after", json!(2), "simulated failure")));
