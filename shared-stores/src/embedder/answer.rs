//! Answers of the endpoint, and the checks that decide whether one may be used.

use std::time::Duration;

use serde::Deserialize;

use super::{EmbedderError, Embedding};

/// No batch of ours has a longer answer.
const MAX_BODY_BYTES: usize = 32 << 20;

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    embedding: Vec<f64>,
}

/// The body, of bounded size.
pub(super) async fn body(mut sent: reqwest::Response, timeout: Duration) -> Result<Vec<u8>, EmbedderError> {
    let mut body = Vec::new();
    while let Some(piece) = sent.chunk().await.map_err(|error| EmbedderError::from_transport(&error, timeout))? {
        if body.len().saturating_add(piece.len()) > MAX_BODY_BYTES {
            return Err(EmbedderError::Malformed("it is too long"));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// The vectors of a 200 in the order of the inputs, whatever the order of the answer.
/// One without a direction is `None`.
pub(super) fn read(body: &[u8], inputs: usize, dimensions: u32) -> Result<Vec<Option<Embedding>>, EmbedderError> {
    let answer: Answer =
        serde_json::from_slice(body).map_err(|_| EmbedderError::Malformed("no list of vectors with their indexes"))?;
    if answer.data.len() != inputs {
        return Err(EmbedderError::Malformed("not one vector for each input"));
    }
    let mut vectors: Vec<Option<Option<Embedding>>> = vec![None; inputs];
    for Item { index, embedding } in answer.data {
        let slot = vectors.get_mut(index).ok_or(EmbedderError::Malformed("an index that no input has"))?;
        if slot.replace(checked(&embedding, dimensions)?).is_some() {
            return Err(EmbedderError::Malformed("two vectors for one input"));
        }
    }
    vectors.into_iter().collect::<Option<Vec<_>>>().ok_or(EmbedderError::Malformed("an input without a vector"))
}

fn checked(vector: &[f64], dimensions: u32) -> Result<Option<Embedding>, EmbedderError> {
    let expected = usize::try_from(dimensions).unwrap_or(usize::MAX);
    if vector.len() != expected {
        return Err(EmbedderError::WrongDimensions { given: vector.len(), expected });
    }
    let vector: Vec<f32> = vector.iter().copied().map(narrow).collect();
    if !vector.iter().all(|number| number.is_finite()) {
        return Err(EmbedderError::Malformed("a number that is none"));
    }
    // Nothing is near to a point without a direction.
    Ok(vector.iter().any(|number| *number != 0.0).then_some(vector))
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "vectors are of single precision")]
fn narrow(number: f64) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Vec<Option<Embedding>>, EmbedderError> {
        super::read(body.as_bytes(), 2, 2)
    }

    #[test]
    fn vectors_come_in_the_order_of_the_inputs() {
        let answer = r#"{"data": [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1, 0.5]}]}"#;
        assert_eq!(read(answer), Ok(vec![Some(vec![1.0, 0.5]), Some(vec![0.0, 1.0])]));
        let blank = r#"{"data": [{"index": 0, "embedding": [0, 0]}, {"index": 1, "embedding": [1, 0]}]}"#;
        assert_eq!(read(blank), Ok(vec![None, Some(vec![1.0, 0.0])]));
    }

    #[test]
    fn an_answer_that_is_not_complete_is_not_used() {
        let item = |index: usize, vector: &str| format!(r#"{{"index": {index}, "embedding": {vector}}}"#);
        let answer = |items: &[String]| format!(r#"{{"data": [{}]}}"#, items.join(", "));
        let good = item(0, "[1, 0]");
        for wrong in [
            answer(std::slice::from_ref(&good)),
            answer(&[good.clone(), good.clone()]),
            answer(&[good.clone(), item(2, "[1, 0]")]),
            answer(&[good.clone(), item(1, "[1e300, 0]")]),
            answer(&[good.clone(), item(1, "[null, 0]")]),
            answer(&[good.clone(), item(1, "\"AACAPwAAAAA=\"")]),
            r#"{"data": [{"embedding": [1, 0]}, {"embedding": [1, 0]}]}"#.to_owned(),
            "[]".to_owned(),
        ] {
            assert!(matches!(read(&wrong), Err(EmbedderError::Malformed(_))), "{wrong}");
        }
        let short = answer(&[good, item(1, "[1]")]);
        assert_eq!(read(&short), Err(EmbedderError::WrongDimensions { given: 1, expected: 2 }));
    }
}
