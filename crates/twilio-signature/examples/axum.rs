//! Receives messages (SMS) from Twilio with axum, and answers them:
//!
//! ```sh
//! export PUBLIC_URL=https://mycompany.com TWILIO_AUTH_TOKEN=…
//! cargo run --example axum 127.0.0.1:3000
//! ```
#![expect(clippy::print_stderr, reason = "an example needs no logger")]

use std::{env, error::Error, sync::Arc};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header::CONTENT_TYPE};
use axum::{Router, response::IntoResponse, routing::post};
use twilio_signature::{Encoding, Keyring, Payload, PublicUrl, Verifier, WebhookRequest};

/// At Twilio, the webhook of the number is `PUBLIC_URL` with this path.
const ROUTE: &str = "/sms";

// Take the body as bytes: `Form` would decode it before the check.
async fn receive(
    State(verifier): State<Arc<Verifier>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<impl IntoResponse, StatusCode> {
    let headers = headers.iter().collect();
    let request = WebhookRequest {
        path: uri.path(),
        route: ROUTE,
        query: uri.query(),
        encoding: Encoding::Form,
        headers: &headers,
        body: &body,
    };
    let message = verifier.verify(&request).map_err(|error| {
        // The reason is for you, not for the sender.
        eprintln!("rejected: {error}");
        StatusCode::FORBIDDEN
    })?;
    let length = field(message.payload(), b"Body").len();
    let answer = format!("<Response><Message>You sent {length} bytes.</Message></Response>");
    Ok(([(CONTENT_TYPE, "text/xml")], answer))
}

fn field<'a>(payload: &'a Payload, name: &[u8]) -> &'a [u8] {
    let Payload::Pairs(fields) = payload else { return b"" };
    fields.iter().find(|(candidate, _)| candidate == name).map_or(b"", |(_, value)| value)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = PublicUrl::parse(&env::var("PUBLIC_URL")?)?;
    let keyring = Keyring::new(None, &[env::var("TWILIO_AUTH_TOKEN")?.into()])?;
    let verifier = Arc::new(Verifier::new(vec![url], keyring));
    let app = Router::new().route(ROUTE, post(receive)).with_state(verifier);

    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    eprintln!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
