//! Certificates and keys in PEM files (RFC 7468).

use std::{fs::File, io::Read as _, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::SecretString;
use x509_cert::{
    der::{Decode as _, SliceReader, Tagged as _, asn1::AnyRef},
    time::Validity,
};

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
    /// When the first of them expires.
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
    if blocks.iter().any(|block| block.label == "TRUSTED CERTIFICATE") {
        let instead = "write BEGIN CERTIFICATE blocks, as openssl x509 writes them";
        validator.report(
            variable,
            format!("names a file with a block BEGIN TRUSTED CERTIFICATE, which librdkafka skips; {instead}"),
        );
        return None;
    }
    if certificates.is_empty() {
        let instead = "write the path of a PEM file with at least one block BEGIN CERTIFICATE";
        validator.report(variable, format!("names a file without a certificate; {instead}"));
        return None;
    }
    let mut expiries = Vec::new();
    for (number, certificate) in (1..).zip(&certificates) {
        let Some(expiry) = expiry(certificate) else {
            let instead = "replace it, or remove it if no broker needs it";
            validator
                .report(variable, format!("names a file whose certificate number {number} is not valid; {instead}"));
            return None;
        };
        expiries.push(expiry);
    }
    Some(Certificates {
        pem: certificates.iter().map(|block| &*block.text).collect(),
        first_expiry: expiries.iter().min().copied(),
        last_expiry: expiries.iter().max().copied(),
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
        let instead = "write the path of a key without passphrase, as openssl pkey writes it";
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
        Ok(_) => {
            format!("names a file with more than {} MiB; write only the certificates that Kafka needs", MAX_BYTES >> 20)
        }
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
    // Files that were joined, the first of which did not end with a line break.
    let text = text.replace("----------BEGIN ", "-----\n-----BEGIN ");
    let (mut found, mut open) = (Vec::new(), None::<Block>);
    for line in text.lines().map(str::trim) {
        match &mut open {
            None => {
                open = label(line, BEGIN).map(|label| Block { text: format!("{line}\n"), body: String::new(), label })
            }
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

/// When a certificate expires (RFC 5280, section 4.1). Reads only what is needed for that: OpenSSL also accepts certificates whose
/// other fields do not conform.
fn expiry(certificate: &Block) -> Option<Timestamp> {
    let der = STANDARD.decode(&certificate.body).ok()?;
    let certificate = AnyRef::decode(&mut SliceReader::new(&der).ok()?).ok()?;
    let content = AnyRef::decode(&mut SliceReader::new(certificate.value()).ok()?).ok()?;
    let mut fields = SliceReader::new(content.value()).ok()?;
    // The first version of certificates has no field for it.
    let version_or_serial = AnyRef::decode(&mut fields).ok()?;
    let before_validity = if version_or_serial.tag().is_context_specific() { 3 } else { 2 };
    for _ in 0..before_validity {
        AnyRef::decode(&mut fields).ok()?;
    }
    let not_after = <Validity>::decode(&mut fields).ok()?.not_after;
    let seconds = not_after.to_unix_duration().as_secs();
    Timestamp::from_unix_millis(i64::try_from(seconds).ok()?.checked_mul(1_000)?)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::config::catalogue::{KAFKA_SSL_CA_LOCATION, KAFKA_SSL_KEY_LOCATION};

    /// Issued for a test of this file with `openssl req -x509`, without its key.
    const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBbjCCAROgAwIBAgIUee/PEujSu88rTKi8uSkrWTMlqkQwCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBYTAeFw0yNjExMzAwMzQzMjNaFw0zNjExMjcwMzQzMjNaMAwx
CjAIBgNVBAMMAWEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARzWlufzDMYomJd
w4SIOYRgXWMhAGba6kfCq6T17ZZb6t5DaAy9fn1qeuDOZiPwZ//4+Gd/AlKWBC12
qVKjC5hno1MwUTAdBgNVHQ4EFgQUgtWzw+YqSsbv/wDz74G3m+Iv/DkwHwYDVR0j
BBgwFoAUgtWzw+YqSsbv/wDz74G3m+Iv/DkwDwYDVR0TAQH/BAUwAwEB/zAKBggq
hkjOPQQDAgNJADBGAiEAz7//JlCXyzMRBsQtKucuF7BnJl1E36YjUtFhD7YvvL8C
IQD+a3uhxHqQcPKwUHITILNnrUVmQhxXxHOfYdFbtDkVeg==
-----END CERTIFICATE-----
";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";

    /// Passes the path of a file with this content.
    fn with_file<T>(
        name: &str,
        content: &[u8],
        read: impl FnOnce(&str, &mut Validator) -> Option<T>,
    ) -> Result<T, String> {
        let path = std::env::temp_dir().join(format!("trusthub-bridge-{}-{name}.pem", std::process::id()));
        std::fs::write(&path, content).unwrap();
        let mut validator = Validator::default();
        let value = read(path.to_str().unwrap(), &mut validator);
        std::fs::remove_file(path).unwrap();
        validator.finish(value).map_err(|problems| problems.to_string())
    }

    fn certificates(name: &str, content: &[u8]) -> Result<Certificates, String> {
        with_file(name, content, |path, validator| read_certificates(path, &KAFKA_SSL_CA_LOCATION, validator))
    }

    fn key(name: &str, content: &str) -> Result<String, String> {
        let key =
            with_file(name, content.as_bytes(), |path, validator| read_key(path, &KAFKA_SSL_KEY_LOCATION, validator));
        key.map(|key| key.expose_secret().to_owned())
    }

    #[test]
    fn certificates_are_read_without_what_is_between_them() {
        let text = [b"issued by \xe9\xff\r\n", CERTIFICATE.as_bytes(), KEY.as_bytes()].concat();
        let read = certificates("chain", &text).unwrap();
        assert_eq!(read.pem, CERTIFICATE);
        let expiry = read.first_expiry.unwrap();
        assert_eq!((expiry.to_string().as_str(), read.last_expiry), ("2036-11-27T03:43:23.000Z", Some(expiry)));
    }

    #[test]
    fn certificates_of_joined_files_need_no_line_break_between_them() {
        let joined = [CERTIFICATE.trim_end(), CERTIFICATE].concat();
        assert_eq!(certificates("joined", joined.as_bytes()).unwrap().pem, CERTIFICATE.repeat(2));
    }

    #[test]
    fn certificate_that_cannot_be_used_is_a_problem_with_its_number() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let problem = certificates("broken", [CERTIFICATE, broken].concat().as_bytes()).unwrap_err();
        assert!(
            problem.contains("KAFKA_SSL_CA_LOCATION: names a file whose certificate number 2 is not valid"),
            "{problem}"
        );
        let trusted = CERTIFICATE.replace("CERTIFICATE", "TRUSTED CERTIFICATE");
        let problem = certificates("trusted", [CERTIFICATE, &trusted].concat().as_bytes()).unwrap_err();
        assert!(problem.contains("BEGIN TRUSTED CERTIFICATE, which librdkafka skips; write BEGIN"), "{problem}");
    }

    #[test]
    fn file_without_certificate_is_a_problem() {
        for content in ["", "pem", KEY] {
            let problem = certificates("none", content.as_bytes()).unwrap_err();
            assert!(problem.contains("KAFKA_SSL_CA_LOCATION: names a file without a certificate; "), "{problem}");
        }
        let cut = CERTIFICATE.strip_suffix("CERTIFICATE-----\n").unwrap();
        let problem = certificates("cut", [CERTIFICATE, cut].concat().as_bytes()).unwrap_err();
        assert!(problem.contains("names a file whose last PEM block has no end"), "{problem}");
    }

    #[test]
    fn key_is_read_unless_it_has_a_passphrase() {
        assert_eq!(key("key", &[CERTIFICATE, KEY].concat()).as_deref(), Ok(KEY));
        let encrypted = KEY.replace("PRIVATE", "ENCRYPTED PRIVATE");
        let former = KEY.replace("AAAA", "Proc-Type: 4,ENCRYPTED\n\nAAAA").replace("PRIVATE", "EC PRIVATE");
        for (content, expected) in [
            (CERTIFICATE, "KAFKA_SSL_KEY_LOCATION: names a file without a private key; "),
            (&encrypted, "names a key with a passphrase; "),
            (&former, "names a key with a passphrase; "),
        ] {
            let problem = key("wrong", content).unwrap_err();
            assert!(problem.contains(expected) && !problem.contains("AAAA"), "{problem}");
        }
    }
}
