//! `X-Deletion-Reference`: the caller's own name for a deletion.

use actix_web::HttpRequest;
use shared_models::{DeletionReference, NoReference};

use super::problem;
use crate::problem::Problem;

const HEADER: &str = "X-Deletion-Reference";

/// Reads it, if it was sent.
///
/// # Errors
/// 422 for one that can't be kept, or two: nobody would find the deletion again by it.
pub fn deletion_reference(request: &HttpRequest) -> Result<Option<DeletionReference>, Problem> {
    let refuse = |text: &str| Problem::Unprocessable(vec![problem(&["header", HEADER], text, "value_error")]);
    let mut given = request.headers().get_all("x-deletion-reference");
    let Some(first) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(refuse("Value error, given more than once"));
    }
    let read = first.to_str().map_err(|_| NoReference).and_then(|text| text.trim().parse());
    read.map(Some).map_err(|why| refuse(&format!("Value error, {why}")))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn read(values: &[&str]) -> Result<Option<DeletionReference>, Problem> {
        let request = values.iter().fold(TestRequest::default(), |request, value| {
            request.append_header(("X-Deletion-Reference", value.as_bytes()))
        });
        deletion_reference(&request.to_http_request())
    }

    #[test]
    fn a_reference_is_read_or_refused_and_never_cut() {
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&[" DSAR-2026-042 "]).unwrap().unwrap().as_str(), "DSAR-2026-042");
        for bad in [vec![""], vec!["ü"], vec!["a", "b"], vec![&*"r".repeat(129)]] {
            assert!(matches!(read(&bad), Err(Problem::Unprocessable(_))), "{bad:?}");
        }
    }
}
