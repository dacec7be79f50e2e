//! Documents as they come from us, from our earlier versions and from other systems, and how they are put: past our own
//! client.

use futures::StreamExt as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::dice::Dice;
use system_tests::corpus::{mixed, purge_key};

pub const TYPES: [&str; 5] = ["base_entity", "file_entity", "code_file_entity", "email_entity", "web_entity"];
const SLOTS: u64 = 32_768;
/// Puts under way at the same time.
const AT_ONCE: usize = 32;
/// Specific parts that a careless client loses its way with. `{}` becomes a number.
const ODD: [&str; 9] = [
    "http://x:80/ä b?q={}#frag&amp=1",
    "%41%2F%25%zz{}",
    "日本語/🦀 {}",
    "it's \"quoted\" \\ {}",
    "a::b:c:{}",
    "tab\tand\nline {}",
    "{}/../../../etc/passwd",
    "airweave_system_metadata_sync_id=='x' or true {}",
    "+plus+%2B+{}",
];

/// An id in its parts, and the fields.
#[derive(Debug, Clone)]
pub struct Document {
    namespace: String,
    pub kind: &'static str,
    /// `docid`, `number/7` or `group/…`, encoded.
    location: String,
    specific: String,
    pub fields: Value,
}

impl Document {
    /// As we write it: the purge key is right.
    pub fn ours(sync: Uuid, dice: &mut Dice) -> Self {
        let (first, second) = (dice.number(), dice.number());
        let chunk = dice.below(3);
        let mut fields = fields(sync, dice);
        fields["airweave_system_metadata_purge_key"] = json!(purge_key(sync, first >> 49));
        Self {
            namespace: "airweave".to_owned(),
            kind: dice.one_of(&TYPES),
            location: "docid".to_owned(),
            specific: format!("{sync}.{first:016x}{second:016x}.{chunk}"),
            fields,
        }
    }

    /// As an earlier version of ours wrote it: without a purge key.
    pub fn older(sync: Uuid, dice: &mut Dice) -> Self {
        let mut document = Self::ours(sync, dice);
        document.fields.as_object_mut().unwrap().remove("airweave_system_metadata_purge_key");
        document
    }

    /// With a purge key that says something wrong: another slot, another sync, any number.
    pub fn with_wrong_key(mut self, sync: Uuid, other: Uuid, dice: &mut Dice) -> Self {
        let slot = dice.below(SLOTS);
        let wrong = [purge_key(sync, slot), purge_key(other, slot), 0, 1, -1, i64::MIN, i64::MAX];
        self.fields["airweave_system_metadata_purge_key"] = json!(dice.one_of(&wrong));
        self
    }

    /// As another system writes it: any form of id, no purge key.
    pub fn foreign(sync: Uuid, dice: &mut Dice) -> Self {
        let number = dice.number();
        let location = match dice.below(4) {
            0 => format!("number/{}", dice.below(1_000_000)),
            1 => format!("group/{}", encoded(dice.one_of(&["it's", "ä b", "a/b%2F", "g=h", "100%"]))),
            _ => "docid".to_owned(),
        };
        let specific = match dice.below(3) {
            0 => format!("{}_{number}__chunk_0", TYPES[0]),
            1 => format!("{sync}_{number}"),
            _ => dice.one_of(&ODD).replace("{}", &number.to_string()),
        };
        let namespace = dice.one_of(&["airweave", "other", "ns with blank", "ü"]).to_owned();
        Self { namespace, kind: dice.one_of(&TYPES), location, specific, fields: fields(sync, dice) }
    }

    /// With the sync's id in capital letters, which queries don't tell apart.
    pub fn shouted(mut self) -> Self {
        let sync = self.fields["airweave_system_metadata_sync_id"].as_str().unwrap().to_uppercase();
        self.fields["airweave_system_metadata_sync_id"] = json!(sync);
        self
    }

    /// The same id with another specific part.
    pub fn called(mut self, specific: String) -> Self {
        self.specific = specific;
        self
    }

    /// Now of another sync.
    pub fn passed_on(mut self, sync: Uuid) -> Self {
        self.fields["airweave_system_metadata_sync_id"] = json!(sync);
        self.fields["name"] = json!("passed on");
        self
    }

    /// Its id as Vespa writes it.
    pub fn id(&self) -> String {
        let location = match self.location.split_once('/') {
            Some(("number", number)) => format!("n={number}"),
            Some((_, group)) => format!("g={}", percent_encoding::percent_decode_str(group).decode_utf8().unwrap()),
            None => String::new(),
        };
        format!("id:{}:{}:{location}:{}", self.namespace, self.kind, self.specific)
    }

    pub fn url(&self, vespa_url: &str) -> String {
        let Self { namespace, kind, location, specific, .. } = self;
        format!("{vespa_url}/document/v1/{}/{kind}/{location}/{}", encoded(namespace), encoded(specific))
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn fields(sync: Uuid, dice: &mut Dice) -> Value {
    let number = mixed(dice.number()) % 10_000;
    json!({
        "entity_id": format!("e-{number}"),
        "name": format!("entity {number}"),
        "textual_representation": "the quick brown fox",
        "airweave_system_metadata_sync_id": sync,
        "airweave_system_metadata_collection_id": Uuid::nil(),
        "airweave_system_metadata_chunk_index": 0,
    })
}

/// Puts them, while nothing goes wrong.
pub async fn put_all(vespa_url: &str, documents: impl IntoIterator<Item = Document>) {
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let puts = futures::stream::iter(documents).map(|document| {
        let (client, url) = (client.clone(), document.url(vespa_url));
        async move {
            let put = client.post(&url).json(&json!({ "fields": document.fields })).send().await.unwrap();
            assert!(put.status().is_success(), "{url}: {}", put.text().await.unwrap());
        }
    });
    puts.buffer_unordered(AT_ONCE).for_each(|()| async {}).await;
}
