//! An event of an AWS application load balancer.
//!
//! Source: "Using AWS Lambda with an Application Load Balancer" in the documentation of AWS. The parameters of the query are
//! as they were sent, but without multi-value headers only the last of those with one name is in the event, and a parameter
//! without `=` looks like one with an empty value.

use super::{
    aws::LambdaEvent,
    captured::{Capture, CaptureError},
    json,
};

pub(super) fn read(text: &[u8]) -> Result<Capture, CaptureError> {
    let mut capture = json::parse::<LambdaEvent>(text)?.into_capture(str::to_owned)?;
    if capture.target.contains('?') {
        let note = "load balancer events contain a parameter without = as one with an empty value and, unless the target \
                    group has multi-value headers, only the last of several parameters with one name; the query may differ \
                    from the one that was signed";
        capture.notes.push(note.to_owned());
    }
    Ok(capture)
}
