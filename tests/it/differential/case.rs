//! One request: the signed form of it, and the form in which it arrives.

use twilio_signature::{
    Algorithm, Construction, Encoding, Headers, Pair, PublicUrl, SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER,
    SigningKey, Verifier, WebhookRequest, decode_form, sign, url_with_body_hash,
};

use test_support::random::{Callback, Covered, Random, random_callback};

use super::{
    settings::{SETTINGS_TAMPERINGS, keyring, random_signer},
    tampering::TAMPERINGS,
};

/// Base URLs as operators configure them.
const PUBLIC_URLS: [&str; 9] = [
    "https://hooks.example.com",
    "https://hooks.example.com/twilio",
    "https://hooks.example.com:8443/twilio",
    "https://hooks.example.com:443",
    "http://hooks.example.com:8080",
    "https://Hooks.Example.com/Twilio%20In",
    "https://[2001:db8::1]:8443",
    "https://bücher.example",
    "http://192.0.2.1/a;b={c}/~'",
];

/// A request with its signature, generated from a number.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) number: u64,
    /// The name of the change, for the message of a failure.
    pub(super) tampering: Option<&'static str>,
    pub(super) signed: Signed,
    pub(super) received: Received,
    /// Replaces the signature that belongs to the signed request.
    pub(super) forged: Option<String>,
}

/// What Twilio signed: the URL as Twilio knows it, and the form if the signature covers it.
#[derive(Debug)]
pub(super) struct Signed {
    /// The auth token, or the secret of a SharedKey.
    pub(super) token: String,
    pub(super) algorithm: Algorithm,
    pub(super) base: String,
    pub(super) route: String,
    pub(super) query: Option<String>,
    pub(super) form: Vec<Pair>,
}

/// What arrived at a service with this public URL.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) public_url: PublicUrl,
    pub(super) route: String,
    pub(super) query: Option<String>,
    pub(super) encoding: Encoding,
    pub(super) body: Vec<u8>,
    /// The header that names the SharedKey.
    pub(super) settings: Option<String>,
}

impl Case {
    /// The case with this number. One in four is genuine.
    pub(super) fn numbered(number: u64) -> Self {
        let mut random = Random::from(!number);
        let mut case = Self::genuine(number, &mut random);
        if !random.one_in(4) {
            let tamperings = if random.one_in(4) { SETTINGS_TAMPERINGS } else { TAMPERINGS };
            let (name, tamper) = random.pick(tamperings);
            tamper(&mut case, &mut random);
            case.tampering = Some(name);
        }
        case
    }

    fn genuine(number: u64, random: &mut Random) -> Self {
        let callback = random_callback(number);
        let public_url = PublicUrl::parse(random.pick(&PUBLIC_URLS)).unwrap();
        let base = random.pick(public_url.bases());
        let hashed = query_of(&url_with_body_hash(&callback.target(), &callback.body));
        let encoding = callback.encoding();
        let Callback { route, query, body, covered, .. } = callback;
        let is_signed_form = encoding == Encoding::Form && covered == Covered::Fields;
        let form = if is_signed_form { decode_form(&body).unwrap() } else { Vec::new() };
        let (given, arrived) = match covered {
            Covered::BodyHash => (hashed.clone(), hashed),
            Covered::Fields if random.one_in(4) => (query, hashed),
            Covered::Fields => (query.clone(), query),
        };
        let (token, algorithm, settings) = random_signer(random);
        Self {
            number,
            tampering: None,
            signed: Signed { token, algorithm, base, route: route.to_owned(), query: given, form },
            received: Received { public_url, route: route.to_owned(), query: arrived, encoding, body, settings },
            forged: None,
        }
    }

    pub(super) fn signature(&self) -> String {
        self.forged.clone().unwrap_or_else(|| self.signed.signature())
    }

    /// The construction for which this service's verifier accepts the request, if any.
    pub(super) fn accepted_construction(&self) -> Option<Construction> {
        let verifier = Verifier::new(vec![self.received.public_url.clone()], keyring());
        let settings = self.received.settings.clone().map(|settings| (SIGNATURE_SETTINGS_HEADER, settings));
        let headers = [(SIGNATURE_HEADER, self.signature())].into_iter().chain(settings).collect();
        let verified = verifier.verify(&self.received.request(&headers)).ok()?;
        Some(verified.matched().construction)
    }

    /// Changes the configured path, so that it is signed as it arrives.
    pub(super) fn configure_route(&mut self, change: impl Fn(&str) -> String) {
        for route in [&mut self.signed.route, &mut self.received.route] {
            *route = change(route);
        }
    }

    /// Changes the configured query, so that it is signed as it arrives.
    pub(super) fn configure_query(&mut self, change: impl Fn(&str) -> String) {
        for query in [&mut self.signed.query, &mut self.received.query] {
            *query = query.as_deref().map(&change);
        }
    }

    /// Adds a field to the form, both signed and sent.
    pub(super) fn add_signed_field(&mut self, encoded: &str) {
        if !self.signed.form.is_empty() {
            self.signed.form.extend(decode_form(encoded.as_bytes()).unwrap());
            self.received.body.extend(format!("&{encoded}").bytes());
        }
    }
}

impl Signed {
    pub(super) fn url(&self) -> String {
        joined(&self.base, &self.route, self.query.as_deref())
    }

    pub(super) fn signature(&self) -> String {
        let key = SigningKey::new(&self.token.as_str().into(), self.algorithm).unwrap();
        sign(&key, &self.url(), &self.form).to_string()
    }
}

impl Received {
    /// The URL that a caller of an official library passes to it.
    pub(super) fn url(&self) -> String {
        joined(self.public_url.as_str(), &self.route, self.query.as_deref())
    }

    pub(super) fn url_without_hash(&self) -> String {
        let query = self.query.iter().flat_map(|query| query.split('&'));
        let rest: Vec<_> = query.filter(|parameter| !parameter.starts_with("bodySHA256=")).collect();
        let query = (!rest.is_empty()).then(|| rest.join("&"));
        joined(self.public_url.as_str(), &self.route, query.as_deref())
    }

    fn request<'a>(&'a self, headers: &'a Headers) -> WebhookRequest<'a> {
        WebhookRequest {
            path: &self.route,
            route: &self.route,
            query: self.query.as_deref(),
            encoding: self.encoding,
            headers,
            body: &self.body,
        }
    }
}

fn joined(base: &str, route: &str, query: Option<&str>) -> String {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{base}{route}{query}")
}

fn query_of(target: &str) -> Option<String> {
    target.split_once('?').map(|(_, query)| query.to_owned())
}
