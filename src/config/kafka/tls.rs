//! TLS: the trusted certificate authorities, and the client certificate.
//!
//! The files are read here and not by librdkafka. A client that is created while a file is being replaced then has the content
//! that is in use.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::pem::{self, Certificates};
use crate::config::{
    catalogue::{KAFKA_SSL_CA_LOCATION, KAFKA_SSL_CERTIFICATE_LOCATION, KAFKA_SSL_KEY_LOCATION, Variable},
    describe::Row,
    files::is_read_once,
    validate::Validator,
};

/// The certificate authorities of the system.
const PROBE: &str = "probe";

/// The TLS settings. The certificates of the brokers are always verified; no setting turns that off.
#[derive(Debug, Clone)]
pub struct Tls {
    /// A file or folder of trusted certificate authorities, or `probe` for those of the system.
    pub ca_location: String,
    /// The content of that file; `None` for a folder, and for those of the system.
    pub authorities: Option<Certificates>,
    /// The certificate of the service for mutual TLS.
    pub client_certificate: Option<ClientCertificate>,
}

/// A client certificate with its key.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The path of the certificate (PEM).
    pub certificate_location: String,
    /// The certificate, followed by those of intermediate authorities.
    pub certificates: Certificates,
    /// The path of the private key (PEM).
    pub key_location: String,
    /// The private key (PEM).
    pub key: SecretString,
}

#[derive(Deserialize)]
pub(super) struct SslSection {
    ca_location: Option<String>,
    certificate_location: Option<String>,
    key_location: Option<String>,
}

impl SslSection {
    pub(super) fn validate(self, validator: &mut Validator) -> Option<Tls> {
        let ca_location = validator.value_or_default(&KAFKA_SSL_CA_LOCATION, self.ca_location);
        if self.certificate_location.is_some() && self.key_location.is_none() {
            validator.report_missing(
                &KAFKA_SSL_KEY_LOCATION,
                "the file of the key that belongs to KAFKA_SSL_CERTIFICATE_LOCATION",
            );
        }
        if self.key_location.is_some() && self.certificate_location.is_none() {
            validator.report_missing(
                &KAFKA_SSL_CERTIFICATE_LOCATION,
                "the file of the certificate that belongs to KAFKA_SSL_KEY_LOCATION",
            );
        }
        Tls::read(ca_location?, self.certificate_location.zip(self.key_location), validator)
    }

    pub(super) fn report_unused(&self, validator: &mut Validator) {
        let instead = "remove it, or write KAFKA_SECURITY_PROTOCOL=ssl or sasl_ssl";
        // Writing the default is allowed.
        let ca_location = self.ca_location.as_ref().filter(|path| *path != PROBE);
        report_if_set(&KAFKA_SSL_CA_LOCATION, ca_location, instead, validator);
        report_if_set(&KAFKA_SSL_CERTIFICATE_LOCATION, self.certificate_location.as_ref(), instead, validator);
        report_if_set(&KAFKA_SSL_KEY_LOCATION, self.key_location.as_ref(), instead, validator);
    }
}

fn report_if_set(variable: &Variable, given: Option<&String>, instead: &str, validator: &mut Validator) {
    if given.is_some() {
        validator.report(variable, format!("contradicts KAFKA_SECURITY_PROTOCOL, which does not use it; {instead}"));
    }
}

impl Tls {
    /// Reads the files.
    fn read(ca_location: String, client: Option<(String, String)>, validator: &mut Validator) -> Option<Self> {
        let authorities = (ca_location != PROBE && !pem::is_folder(&ca_location))
            .then(|| pem::read_certificates(&ca_location, &KAFKA_SSL_CA_LOCATION, validator));
        let client_certificate = client.map(|(certificate_location, key_location)| {
            let certificates =
                pem::read_certificates(&certificate_location, &KAFKA_SSL_CERTIFICATE_LOCATION, validator);
            let key = pem::read_key(&key_location, &KAFKA_SSL_KEY_LOCATION, validator);
            Some(ClientCertificate { certificate_location, certificates: certificates?, key_location, key: key? })
        });
        Some(Self {
            ca_location,
            authorities: all_or_none(authorities)?,
            client_certificate: all_or_none(client_certificate)?,
        })
    }

    /// Reads the files again.
    pub(super) fn reload(&self, validator: &mut Validator) -> Option<Self> {
        if self.files().any(|file| is_read_once(&file)) {
            return Some(self.clone());
        }
        let locations = |client: &ClientCertificate| (client.certificate_location.clone(), client.key_location.clone());
        Self::read(self.ca_location.clone(), self.client_certificate.as_ref().map(locations), validator)
    }

    /// The files. A folder of authorities is not one of them: librdkafka reads it when a client is created.
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let authorities = self.authorities.as_ref().map(|_| &self.ca_location);
        let client = self.client_certificate.iter();
        let client = client.flat_map(|client| [&client.certificate_location, &client.key_location]);
        authorities.into_iter().chain(client).map(PathBuf::from)
    }

    /// The contents of the files.
    pub(super) fn contents(&self) -> impl Iterator<Item = &str> {
        let authorities = self.authorities.as_ref().map(|authorities| &*authorities.pem);
        let client = self.client_certificate.iter();
        authorities
            .into_iter()
            .chain(client.flat_map(|client| [client.certificates.pem.as_str(), client.key.expose_secret()]))
    }

    /// The effective values; all are empty without TLS.
    pub(super) fn describe(tls: Option<&Self>) -> [Row; 3] {
        let client = tls.and_then(|tls| tls.client_certificate.as_ref());
        [
            (KAFKA_SSL_CA_LOCATION.name, tls.map(|tls| tls.ca_location.clone()).unwrap_or_default()),
            (
                KAFKA_SSL_CERTIFICATE_LOCATION.name,
                client.map(|pair| pair.certificate_location.clone()).unwrap_or_default(),
            ),
            (KAFKA_SSL_KEY_LOCATION.name, client.map(|pair| pair.key_location.clone()).unwrap_or_default()),
        ]
    }
}

/// `None` if there is a value that could not be read.
fn all_or_none<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
        None => Some(None),
    }
}
