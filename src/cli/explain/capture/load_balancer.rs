//! An event of an AWS application load balancer.
//!
//! Source: "Using AWS Lambda with an Application Load Balancer" in the documentation of AWS. The parameters of the query are
//! as they were sent.

use super::{
    aws::LambdaEvent,
    captured::{Capture, CaptureError},
    json,
};

pub(super) fn read(text: &[u8]) -> Result<Capture, CaptureError> {
    json::parse::<LambdaEvent>(text)?.into_capture(str::to_owned)
}
