//! What the events of AWS have in common: a request as the Lambda function behind it sees it.

use serde::Deserialize;
use twilio_signature::Members;

use super::{
    captured::{Capture, CaptureError},
    json,
};
use crate::domain::Headers;

/// The fields of API Gateway's version 1.0 and of the load balancer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LambdaEvent {
    http_method: Option<String>,
    path: Option<String>,
    headers: Option<Members<String>>,
    multi_value_headers: Option<Members<Vec<String>>>,
    query_string_parameters: Option<Members<String>>,
    multi_value_query_string_parameters: Option<Members<Vec<String>>>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    request_context: Option<RequestContext>,
}

#[derive(Deserialize)]
struct RequestContext {
    /// The path with the stage, as the caller sent it. Only API Gateway has it.
    path: Option<String>,
}

impl LambdaEvent {
    /// Converts the event. `encode` turns a name or a value of the query into the text that was sent.
    pub(super) fn into_capture(self, encode: fn(&str) -> String) -> Result<Capture, CaptureError> {
        let query = self.query(encode);
        let path = self.request_context.and_then(|context| context.path).or(self.path);
        let mut target = path.ok_or(CaptureError::Missing("path"))?;
        target.extend(query.map(|query| format!("?{query}")));
        Ok(Capture {
            method: self.http_method.ok_or(CaptureError::Missing("httpMethod"))?,
            target,
            headers: headers(self.headers, self.multi_value_headers)?,
            body: json::body(self.body.as_deref(), self.is_base64_encoded)?,
            notes: Vec::new(),
        })
    }

    fn query(&self, encode: fn(&str) -> String) -> Option<String> {
        let parameter = |name: &str, value: &str| format!("{}={}", encode(name), encode(value));
        let parameters: Vec<_> = match (&self.multi_value_query_string_parameters, &self.query_string_parameters) {
            (Some(Members(members)), _) => {
                let values = |(name, values): &(String, Vec<String>)| {
                    values.iter().map(|value| parameter(name, value)).collect::<Vec<_>>()
                };
                members.iter().flat_map(values).collect()
            }
            (None, Some(Members(members))) => members.iter().map(|(name, value)| parameter(name, value)).collect(),
            (None, None) => Vec::new(),
        };
        (!parameters.is_empty()).then(|| parameters.join("&"))
    }
}

fn headers(single: Option<Members<String>>, multiple: Option<Members<Vec<String>>>) -> Result<Headers, CaptureError> {
    match (multiple, single) {
        (Some(Members(members)), _) => {
            let each =
                |(name, values): (String, Vec<String>)| values.into_iter().map(move |value| (name.clone(), value));
            Ok(members.into_iter().flat_map(each).collect())
        }
        (None, Some(Members(members))) => Ok(members.into_iter().collect()),
        (None, None) => Err(CaptureError::Missing("headers")),
    }
}
