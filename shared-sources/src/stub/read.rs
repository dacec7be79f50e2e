//! Makes entities of many kinds.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::config::Config;
use super::kind::Kind;
use crate::testing::random::Random;
use crate::testing::{Plain, content};
use crate::{EntitySink, RawFile, ReadSummary, SourceAccess, SourceEntity, SourceError};

/// Yields `entity_count` entities, the container included.
pub(super) async fn read(
    config: &Config,
    access: &SourceAccess,
    sink: &EntitySink,
) -> Result<ReadSummary, SourceError> {
    let delay = Duration::from_millis(config.generation_delay_ms);
    sink.send(family(config).container(config.entity_count)).await?;
    for index in 0..config.entity_count.saturating_sub(1) {
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        sink.send(entity(config, index, access.max_blob_bytes)).await?;
        fail_if_asked(config.fail_after, i64::from(index) + 1)?;
    }
    Ok(ReadSummary::everything())
}

fn fail_if_asked(fail_after: i64, yielded: i64) -> Result<(), SourceError> {
    if fail_after >= 0 && yielded >= fail_after {
        return Err(SourceError::Failed(format!(
            "Stub source simulated failure after {yielded} entities (fail_after={fail_after})"
        )));
    }
    Ok(())
}

/// The container of all kinds and what its entities share.
const fn family(config: &Config) -> Plain {
    Plain { prefix: "stub", title: "Stub container", seed: config.seed }
}

fn entity(config: &Config, index: u32, max_blob_bytes: u64) -> SourceEntity {
    let mut random = Random::new(config.seed.wrapping_add(i64::from(index)));
    let kind = Kind::choose(config, &mut random);
    let prefix = kind.prefix();
    let id = format!("{prefix}-{}-{index}", config.seed);
    let title = content::title(&mut random);
    let (mut text, extension) = kind.content(&mut random);
    if config.inject_special_tokens {
        text = content::inject_tokens(&text, &mut random);
    }
    if let Some(given) = &config.custom_content_prefix {
        text = format!("{given}\n\n{text}");
    }

    let mut fields = Map::from_iter([
        ("seed".to_owned(), Value::from(config.seed)),
        ("sequence".to_owned(), Value::from(index)),
        ("kind".to_owned(), Value::from(prefix)),
    ]);
    let mut file = None;
    if let Some(extension) = extension {
        fields.insert("size".to_owned(), Value::from(text.len()));
        fields.insert("extension".to_owned(), Value::from(extension));
        fields.insert("mime_type".to_owned(), Value::from(mime_type(extension)));
        if u64::try_from(text.len()).is_ok_and(|size| size <= max_blob_bytes) {
            file = Some(RawFile { name: format!("{id}.{extension}"), bytes: Bytes::from(text.clone()) });
        }
    }
    SourceEntity {
        class: kind.class(),
        name: extension.map_or_else(|| format!("{title} #{}", index + 1), |extension| format!("{id}.{extension}")),
        document_type: kind.document_type(),
        text,
        fields,
        breadcrumbs: vec![family(config).breadcrumb()],
        created_at: None,
        updated_at: None,
        web_url: match extension {
            Some(_) => format!("stub://file/{prefix}/{id}"),
            None => format!("stub://entity/{prefix}/{id}"),
        },
        file,
        version: None,
        id,
    }
}

fn mime_type(extension: &str) -> &'static str {
    match extension {
        "py" => "text/x-python",
        "js" => "text/javascript",
        _ => "text/plain",
    }
}
