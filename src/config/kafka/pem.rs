//! Certificates and keys in PEM files (RFC 7468).

use std::{fs::File, io::Read as _, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::SecretString;
use x509_cert::{Certificate, der::Decode as _};

use crate::{
    config::{catalogue::Variable, validate::Validator},
    domain::Timestamp,
};

/// Far larger than the certificate authorities of an operating system.
const MAX_BYTES: u64 = 4 << 20;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The certificates of a PEM file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// The certificates alone, in PEM format, without the text between them.
    pub pem: String,
    /// When the first of them expires. A certificate that is not a valid X.509 certificate is left out.
    pub first_expiry: Option<Timestamp>,
    /// When the last of them expires.
    pub last_expiry: Option<Timestamp>,
}

/// One block of a PEM file, with its first and last line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Block {
    label: String,
    text: String,
    /// The Base64 of its content.
    body: String,
}

/// Reads the certificates of a file.
pub(super) fn read_certificates(path: &str, variable: &Variable, validator: &mut Validator) -> Option<Certificates> {
    let blocks = read_blocks(path, variable, validator)?;
    let certificates: Vec<_> =
        blocks.iter().filter(|block| ["CERTIFICATE", "X509 CERTIFICATE"].contains(&&*block.label)).collect();
    if certificates.is_empty() {
        let instead = "write the path of a PEM file with at least one block BEGIN CERTIFICATE";
        validator.report(variable, format!("names a file without a certificate; {instead}"));
        return None;
    }
    let expiries = || certificates.iter().filter_map(|block| expiry(block));
    Some(Certificates {
        pem: certificates.iter().map(|block| &*block.text).collect(),
        first_expiry: expiries().min(),
        last_expiry: expiries().max(),
    })
}

/// Reads the private key of a file.
pub(super) fn read_key(path: &str, variable: &Variable, validator: &mut Validator) -> Option<SecretString> {
    let blocks = read_blocks(path, variable, validator)?;
    let Some(key) = blocks.iter().find(|block| block.label.ends_with("PRIVATE KEY")) else {
        let instead = "write the path of a PEM file with a block BEGIN PRIVATE KEY";
        validator.report(variable, format!("names a file without a private key; {instead}"));
        return None;
    };
    if key.label == "ENCRYPTED PRIVATE KEY" || key.text.contains("Proc-Type: 4,ENCRYPTED") {
        let instead = "write the path of a key without passphrase, as openssl pkey makes of it";
        validator.report(variable, format!("names a key with a passphrase; {instead}"));
        return None;
    }
    Some(key.text.clone().into())
}

/// Reads the blocks of a file. No problem repeats the path or the content.
fn read_blocks(path: &str, variable: &Variable, validator: &mut Validator) -> Option<Vec<Block>> {
    let mut bytes = Vec::new();
    let problem = match File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes)) {
        // The text between the blocks can have any encoding.
        Ok(length) if (length as u64) < MAX_BYTES => match blocks(&String::from_utf8_lossy(&bytes)) {
            Some(blocks) => return Some(blocks),
            None => "names a file whose last PEM block has no end; write the whole file".to_owned(),
        },
        Ok(_) => format!("names a file with more than {} MiB; write only the certificates that Kafka needs", MAX_BYTES >> 20),
        Err(error) => format!("cannot be opened ({}); write the path of a readable PEM file", error.kind()),
    };
    validator.report(variable, problem);
    None
}

/// Whether the path names a folder, whose certificates librdkafka reads itself.
pub(super) fn is_folder(path: &str) -> bool {
    Path::new(path).is_dir()
}

/// The blocks of the text; `None` if the last one has no end.
fn blocks(text: &str) -> Option<Vec<Block>> {
    let (mut found, mut open) = (Vec::new(), None::<Block>);
    for line in text.lines().map(str::trim) {
        match &mut open {
            None => open = label(line, BEGIN).map(|label| Block { text: format!("{line}\n"), body: String::new(), label }),
            Some(block) => {
                block.text.push_str(line);
                block.text.push('\n');
                if label(line, END).as_ref() == Some(&block.label) {
                    found.extend(open.take());
                } else {
                    block.body.push_str(line);
                }
            }
        }
    }
    open.is_none().then_some(found)
}

fn label(line: &str, mark: &str) -> Option<String> {
    line.strip_prefix(mark)?.strip_suffix(DASHES).map(str::to_owned)
}

fn expiry(certificate: &Block) -> Option<Timestamp> {
    let der = STANDARD.decode(&certificate.body).ok()?;
    let not_after = Certificate::from_der(&der).ok()?.tbs_certificate().validity().not_after;
    let seconds = not_after.to_unix_duration().as_secs();
    Timestamp::from_unix_millis(i64::try_from(seconds).ok()?.checked_mul(1_000)?)
}
