//! Receives messages (SMS) from Twilio with actix-web, and answers them:
//!
//! ```sh
//! export PUBLIC_URL=https://mycompany.com TWILIO_AUTH_TOKEN=…
//! cargo run --example actix_web 127.0.0.1:3000
//! ```
#![expect(clippy::print_stderr, reason = "an example needs no logger")]

use std::{env, error::Error};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use twilio_signature::{Encoding, Keyring, Payload, PublicUrl, Verifier, WebhookRequest};

/// At Twilio, the webhook of the number is `PUBLIC_URL` with this path.
const ROUTE: &str = "/sms";

// Take the body as bytes: `web::Form` would decode it before the check.
async fn receive(verifier: web::Data<Verifier>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let headers = request.headers().iter().collect();
    let webhook = WebhookRequest {
        path: request.path(),
        route: ROUTE,
        query: request.uri().query(),
        encoding: Encoding::Form,
        headers: &headers,
        body: &body,
    };
    match verifier.verify(&webhook) {
        Ok(message) => {
            let length = field(message.payload(), b"Body").len();
            let answer = format!("<Response><Message>You sent {length} bytes.</Message></Response>");
            HttpResponse::Ok().content_type("text/xml").body(answer)
        }
        Err(error) => {
            // The reason is for you, not for the sender.
            eprintln!("rejected: {error}");
            HttpResponse::Forbidden().finish()
        }
    }
}

fn field<'a>(payload: &'a Payload, name: &[u8]) -> &'a [u8] {
    let Payload::Pairs(fields) = payload else { return b"" };
    fields.iter().find(|(candidate, _)| candidate == name).map_or(b"", |(_, value)| value)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = PublicUrl::parse(&env::var("PUBLIC_URL")?)?;
    let keyring = Keyring::new(None, &[env::var("TWILIO_AUTH_TOKEN")?.into()])?;
    let verifier = web::Data::new(Verifier::new(vec![url], keyring));

    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let app = move || App::new().app_data(verifier.clone()).route(ROUTE, web::post().to(receive));
    let server = HttpServer::new(app).workers(1).bind(address)?;
    eprintln!("listening on {}", server.addrs().first().ok_or("no address")?);
    server.run().await?;
    Ok(())
}
