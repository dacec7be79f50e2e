//! Reading request bodies: bounded, and unpacked if gzipped, as the `vespa` command sends them.

use std::io::Read;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::CONTENT_ENCODING;
use hyper::{Request, StatusCode};

/// What Vespa takes in one document operation.
const MAX_BYTES: usize = 100 << 20;

/// Why a body couldn't be had.
pub(super) struct Unreadable {
    pub status: StatusCode,
    pub message: String,
}

pub(super) async fn read(request: Request<Incoming>) -> Result<Bytes, Unreadable> {
    if request.body().size_hint().lower() > u64::try_from(MAX_BYTES).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let gzipped = request.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
    let body = match Limited::new(request.into_body(), MAX_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
        Err(error) => {
            return Err(Unreadable {
                status: StatusCode::BAD_REQUEST,
                message: format!("failed reading body: {error}"),
            });
        }
    };
    if !gzipped {
        return Ok(body);
    }
    let mut plain = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    GzDecoder::new(body.as_ref()).take(limit + 1).read_to_end(&mut plain).map_err(|error| Unreadable {
        status: StatusCode::BAD_REQUEST,
        message: format!("failed unpacking body: {error}"),
    })?;
    if plain.len() > MAX_BYTES {
        return Err(too_large());
    }
    Ok(plain.into())
}

fn too_large() -> Unreadable {
    let message = format!("Document operation request size is greater than the limit of {MAX_BYTES} bytes");
    Unreadable { status: StatusCode::PAYLOAD_TOO_LARGE, message }
}
