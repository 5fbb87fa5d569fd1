//! An event of Amazon API Gateway, payload version 1.0 (REST APIs).
//!
//! Source: "Input format of a Lambda function for proxy integration" in the documentation of API Gateway. The parameters of
//! the query are decoded in it, and their order is lost.

use super::{
    aws::LambdaEvent,
    captured::{Capture, CaptureError},
    json,
    percent::encode,
};

pub(super) fn read(text: &[u8]) -> Result<Capture, CaptureError> {
    let mut capture = json::parse::<LambdaEvent>(text)?.into_capture(encode)?;
    if capture.target.contains('?') {
        let note = "API Gateway events of version 1.0 contain the query decoded; it was encoded again, and its order or \
                    its escapes may differ from those that were signed";
        capture.notes.push(note.to_owned());
    }
    Ok(capture)
}
