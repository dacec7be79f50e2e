//! A server that answers like S3 of one versioned bucket, whatever is signed, and with faults on demand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use sha2::{Digest as _, Sha256};
use url::Url;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

const PAGE: usize = 1_000;

pub(super) struct S3Server {
    pub(super) url: Url,
    _server: MockServer,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The versions of each key, the newest last; `None` marks a deletion.
    objects: BTreeMap<String, Vec<Option<Object>>>,
    /// Empty objects beside those, which are listed page by page without being stored.
    endless: usize,
    failure: Option<(u16, &'static str)>,
    asked: Vec<String>,
}

/// An object, and what is told of it.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) content: Vec<u8>,
    pub(super) storage_class: &'static str,
    /// Reading it is refused with this status and code.
    pub(super) refused: Option<(u16, &'static str)>,
    pub(super) claimed_size: Option<u64>,
}

impl Object {
    pub(super) fn text(text: &str) -> Self {
        Self::bytes(text.as_bytes())
    }

    pub(super) fn bytes(content: &[u8]) -> Self {
        Self { content: content.to_vec(), storage_class: "STANDARD", refused: None, claimed_size: None }
    }

    fn tag(&self) -> String {
        format!("\"{}\"", hex::encode(Sha256::digest(&self.content)).get(..32).unwrap())
    }
}

struct Responder(Arc<Mutex<State>>);

impl S3Server {
    pub(super) async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        // What is asked is kept in the state, and not with all of its headers.
        let server = MockServer::builder().disable_request_recording().start().await;
        Mock::given(any()).respond_with(Responder(state.clone())).mount(&server).await;
        Self { url: server.uri().parse().unwrap(), _server: server, state }
    }

    /// Puts a version, which is the newest then.
    pub(super) fn put(&self, key: &str, object: Object) {
        self.state().objects.entry(key.to_owned()).or_default().push(Some(object));
    }

    /// Marks an object as deleted; its versions stay.
    pub(super) fn delete(&self, key: &str) {
        self.state().objects.get_mut(key).unwrap().push(None);
    }

    /// Takes the newest version or mark away, so that the one before it is the newest.
    pub(super) fn go_back(&self, key: &str) {
        self.state().objects.get_mut(key).unwrap().pop().unwrap();
    }

    pub(super) fn clear(&self) {
        self.state().objects.clear();
    }

    pub(super) fn fail(&self, status: u16, code: &'static str) {
        self.state().failure = Some((status, code));
    }

    pub(super) fn list_endless(&self, objects: usize) {
        self.state().endless = objects;
    }

    /// How many objects were asked for so far.
    pub(super) fn got(&self) -> usize {
        self.state().asked.iter().filter(|path| !path.contains('?')).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Respond for Responder {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock();
        let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        if state.endless == 0 {
            state.asked.push(format!("{}{query}", request.url.path()));
        }
        if let Some((status, code)) = state.failure {
            return refusal(status, code);
        }
        let key = request.url.path().strip_prefix("/bucket/").unwrap();
        if key.is_empty() { state.list(request) } else { state.get(key, request) }
    }
}

impl State {
    fn list(&self, request: &Request) -> ResponseTemplate {
        let parameter = |name: &str| request.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
        let from: usize = parameter("continuation-token").map_or(0, |token| token.parse().unwrap());
        let prefix = parameter("prefix").unwrap_or_default();
        let mut xml = String::from("<ListBucketResult><EncodingType>url</EncodingType>");
        let mut listed = 0;
        if self.endless > 0 {
            for number in (from..self.endless).take(PAGE) {
                entry(&mut xml, &format!("{number:09}"), 0, "\"d41d8cd98f00b204e9800998ecf8427e\"", "STANDARD");
                listed += 1;
            }
        } else {
            let newest = self.objects.iter().filter_map(|(key, versions)| Some((key, versions.last()?.as_ref()?)));
            let objects = newest.filter(|(key, _)| key.starts_with(&*prefix));
            for (key, object) in objects.skip(from).take(PAGE) {
                let size = object.claimed_size.unwrap_or(u64::try_from(object.content.len()).unwrap());
                entry(&mut xml, &key.replace(' ', "+"), size, &object.tag(), object.storage_class);
                listed += 1;
            }
        }
        let _ = write!(xml, "<IsTruncated>{}</IsTruncated>", listed == PAGE);
        if listed == PAGE {
            let _ = write!(xml, "<NextContinuationToken>{}</NextContinuationToken>", from + PAGE);
        }
        ResponseTemplate::new(200).set_body_string(format!("{xml}</ListBucketResult>"))
    }

    fn get(&self, key: &str, request: &Request) -> ResponseTemplate {
        let versions = self.objects.get(&key.replace("%20", " ")).map(Vec::as_slice).unwrap_or_default();
        let object = match versions.last() {
            Some(Some(object)) => object,
            Some(None) => return refusal(404, "NoSuchKey").insert_header("x-amz-delete-marker", "true"),
            None => return refusal(404, "NoSuchKey"),
        };
        if let Some((status, code)) = object.refused {
            return refusal(status, code);
        }
        let tag = object.tag();
        if request.headers.get("if-match").is_some_and(|wanted| wanted != tag.as_str()) {
            return refusal(412, "PreconditionFailed");
        }
        let version = format!("v{}", versions.len());
        let answer = ResponseTemplate::new(200).insert_header("etag", tag.as_str());
        answer.insert_header("x-amz-version-id", version.as_str()).set_body_bytes(object.content.clone())
    }
}

fn entry(xml: &mut String, key: &str, size: u64, tag: &str, class: &str) {
    let _ = write!(
        xml,
        "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>{tag}</ETag>\
         <Size>{size}</Size><StorageClass>{class}</StorageClass></Contents>"
    );
}

fn refusal(status: u16, code: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_string(format!("<Error><Code>{code}</Code></Error>"))
}
