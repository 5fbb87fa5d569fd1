//! Error responses in Twilio's format.

use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use serde_json::json;

use super::allowed_host::AllowedHost;
use crate::model::{ModelError, ObjectKind};

/// The result of a handler.
pub(super) type ApiResult = Result<HttpResponse, ApiError>;

/// An error response with its Twilio error code.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: u32,
    message: String,
    retry_after_secs: Option<u32>,
}

impl ApiError {
    const fn new(status: StatusCode, code: u32, message: String) -> Self {
        Self { status, code, message, retry_after_secs: None }
    }

    /// Returns Twilio's error code.
    pub(super) fn code(&self) -> u32 {
        self.code
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, 20003, "Authenticate".to_owned())
    }

    /// A parameter is missing or wrong. The message names it and says what to write.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 20001, message.into())
    }

    fn refused(code: u32, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message.into())
    }

    /// The text and the status are Twilio's; its code is not known.
    pub(super) fn primary_profile() -> Self {
        Self::invalid("This operation is restricted via API for Primary Customer Profiles. Use Twilio Console instead.")
    }

    pub(super) fn primary_profile_not_approved() -> Self {
        Self::refused(20003, "The primary compliance profile is not approved")
    }

    /// The text and the status are Twilio's; its code is not known.
    pub(super) fn status_update_not_allowed() -> Self {
        Self::refused(60711, "User cannot perform this status update")
    }

    pub(super) fn status_not_parsable(message: String) -> Self {
        Self::refused(22203, message)
    }

    pub(super) fn status_with_other_properties() -> Self {
        Self::refused(22204, "Status: update it in a request of its own, without other properties")
    }

    pub(super) fn object_type_not_assignable() -> Self {
        Self::refused(
            22206,
            "ObjectSid: write the SID of an end user (IT), a supporting document (RD) or a profile (BU)",
        )
    }

    pub(super) fn attributes_not_json() -> Self {
        Self::refused(22207, "Attributes: write a JSON object, such as {\"first_name\":\"Ada\"}")
    }

    fn forbidden(message: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, 20403, message)
    }

    pub(super) fn host_missing() -> Self {
        Self::forbidden("Host: send this header once".to_owned())
    }

    /// `host` is the host of the request, if it is one.
    pub(super) fn unknown_host(host: Option<&str>) -> Self {
        let name = host.and_then(|host| host.parse::<AllowedHost>().ok());
        Self::forbidden(match name.as_ref().map(AllowedHost::as_str) {
            Some(name) => format!(
                "Host: {name} is not known to be the simulator; if no one else controls this name, start it with \
                 --allowed-host {name}"
            ),
            None => "Host: write an address or a name of the simulator, such as 127.0.0.1:8090".to_owned(),
        })
    }

    pub(super) fn other_origin() -> Self {
        Self::forbidden(
            "A page of another origin sent this request; only programs and the simulator's own page may".to_owned(),
        )
    }

    pub(super) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, 20413, "The request is too large".to_owned())
    }

    pub(super) fn not_found(request: &HttpRequest) -> Self {
        let path = request.path();
        let path = path.strip_prefix("/v1").unwrap_or(path);
        Self::new(StatusCode::NOT_FOUND, 20404, format!("The requested resource {path} was not found"))
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, 20004, "Method not allowed".to_owned())
    }

    pub(super) fn too_many_requests(retry_after_secs: u32) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, 20429, "Too Many Requests".to_owned());
        Self { retry_after_secs: Some(retry_after_secs), ..error }
    }

    pub(super) fn server_error() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, 20500, "An internal server error has occurred".to_owned())
    }

    /// Converts an error of the model into the response to this request.
    pub(super) fn from_model(error: &ModelError, request: &HttpRequest) -> Self {
        match error {
            ModelError::NotFound => Self::not_found(request),
            ModelError::Full(_) | ModelError::NotABundle => Self::invalid(error.to_string()),
            ModelError::Forbidden(_) => Self::refused(60711, format!("Not allowed: {error}")),
            ModelError::PartOf(_) => Self::refused(70002, format!("Not allowed: {error}")),
            ModelError::Assigned(ObjectKind::EndUser) => Self::refused(21644, format!("Not allowed: {error}")),
            ModelError::Assigned(_) => Self::refused(21645, format!("Not allowed: {error}")),
            ModelError::UnknownObject | ModelError::AssignedBefore => {
                Self::refused(22205, format!("Invalid SID: {error}"))
            }
            ModelError::NotCopyable(_) => Self::refused(18607, format!("Not allowed: {error}")),
            ModelError::CopiedBefore => Self::refused(18608, format!("Not allowed: {error}")),
            ModelError::State(_) => {
                tracing::error!(%error, "a request to the simulator failed");
                Self::server_error()
            }
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after_secs {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, r#"Basic realm="Twilio API""#));
        }
        response.json(json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.status.as_u16(),
        }))
    }
}
