//! Other keys of the account that may have signed the unchanged request.

use super::{
    near_miss::{Difference, NearMissKind},
    search::{CandidateMessage, FoundNearMiss, Search},
};
use crate::{
    Algorithm, Construction, PublicUrl, VerifyError, key::SigningKey, keyring::AccountKeys, message::BodyHashCheck,
    settings::SignatureSettings, shared_key::SharedKey,
};

/// What the request says about its key.
type Settings<'s> = Result<Option<SignatureSettings<'s>>, VerifyError>;

const FORWARD_THE_HEADER: &str = "configure the proxy in front of this service to forward the header \
                                  X-Twilio-Webhooks-Signature-Settings unchanged";
const DO_NOT_ADD_THE_HEADER: &str = "configure the proxy in front of this service not to add the header \
                                     X-Twilio-Webhooks-Signature-Settings";
const ALLOW_THE_ALGORITHM: &str = "write the id without an algorithm in TWILIO_SHARED_KEYS or in the shared_keys of the \
                                   account, or select the algorithm that the key is bound to at Twilio";
const CORRECT_THE_ID: &str = "correct the id of the key in TWILIO_SHARED_KEYS or in the shared_keys of the account, where \
                              each secret follows its own id";

impl<'a> Search<'a> {
    /// Tries the unchanged request with the keys of the account that it does not select, for the algorithm that the length
    /// of the signature shows.
    pub(super) fn try_other_signers(
        &mut self,
        account: &'a AccountKeys,
        settings: Settings<'_>,
    ) -> Option<FoundNearMiss> {
        let algorithm = self.signature.algorithm();
        let selected = self.keys;
        let mut signers = other_signers(account, algorithm, settings);
        let found = signers.find_map(|(key, difference)| {
            self.keys = std::slice::from_ref(key);
            self.try_unchanged(&difference)
        });
        self.keys = selected;
        found
    }

    /// Tries each message that would be accepted.
    fn try_unchanged(&mut self, difference: &Difference) -> Option<FoundNearMiss> {
        let (messages, urls) = (self.messages, self.urls);
        let is_body_hashed = messages.body_hash() == BodyHashCheck::Match;
        let constructions =
            messages.constructions().iter().filter(|one| **one != Construction::BodyHash || is_body_hashed);
        for &construction in constructions {
            for base in urls.iter().flat_map(PublicUrl::bases) {
                let url = format!("{base}{}", self.request.route);
                let (query, fields) = (messages.query(construction), messages.fields(construction));
                if let Some((signed, key)) = self.try_with_keys(CandidateMessage { url: &url, query, fields }) {
                    return Some(FoundNearMiss::new(signed, key, vec![difference.clone()], None));
                }
            }
        }
        None
    }
}

/// The keys that the request does not select, with what it means if one of them signed.
fn other_signers<'a>(
    account: &'a AccountKeys,
    algorithm: Algorithm,
    settings: Settings<'_>,
) -> impl Iterator<Item = (&'a SigningKey, Difference)> {
    let tokens = if settings == Ok(None) { &[] } else { account.tokens() };
    let tokens = tokens.iter().filter(move |key| key.algorithm() == algorithm).map(|key| (key, signed_by_token()));
    let shared = account.shared().iter().filter_map(move |key| {
        let difference = signed_by_shared_key(key, algorithm, settings)?;
        Some((key.signing_key(algorithm), difference))
    });
    tokens.chain(shared)
}

fn signed_by_token() -> Difference {
    let text = "an auth token signed it, although the header X-Twilio-Webhooks-Signature-Settings says otherwise";
    Difference { remedy: Some(DO_NOT_ADD_THE_HEADER), ..Difference::new(NearMissKind::SettingsHeader, text) }
}

/// `None` for the key that the request selects.
fn signed_by_shared_key(key: &SharedKey, algorithm: Algorithm, settings: Settings<'_>) -> Option<Difference> {
    let signer = format!("the SharedKey {} signed it with {algorithm}", key.id());
    let (kind, text, remedy) = match settings {
        Ok(Some(named)) if named.key != key.id() => {
            (NearMissKind::Key, format!("{signer}, although the request names another id"), CORRECT_THE_ID)
        }
        Ok(Some(named)) if named.algorithm != algorithm => {
            let text = format!("{signer}, although the request names {}", named.algorithm);
            (NearMissKind::Algorithm, text, FORWARD_THE_HEADER)
        }
        Ok(Some(_)) if !key.allows(algorithm) => {
            (NearMissKind::Algorithm, format!("{signer}, but is bound to another algorithm"), ALLOW_THE_ALGORITHM)
        }
        Ok(Some(_)) => return None,
        Ok(None) => {
            let text = format!("{signer}, but the header X-Twilio-Webhooks-Signature-Settings is missing");
            (NearMissKind::SettingsHeader, text, FORWARD_THE_HEADER)
        }
        Err(_) => {
            let text = format!("{signer}, but the header X-Twilio-Webhooks-Signature-Settings does not say so");
            (NearMissKind::SettingsHeader, text, FORWARD_THE_HEADER)
        }
    };
    Some(Difference { remedy: Some(remedy), ..Difference::new(kind, text) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Headers, SIGNATURE_SETTINGS_HEADER};

    #[test]
    fn signers_are_the_keys_that_the_request_does_not_select() {
        use Algorithm::{HmacSha1, HmacSha256};
        use NearMissKind::{Algorithm as OtherAlgorithm, Key, SettingsHeader};
        let shared = ["any=secret-1", "sha256:HMAC_SHA256=secret-2", "sha1:HMAC_SHA1=secret-3"];
        let shared = shared.map(|setting| SharedKey::parse(setting).unwrap());
        let account = AccountKeys::new(&["token".into()], shared.into()).unwrap();
        for (settings, algorithm, kinds) in [
            ("key=any,algorithm=HMAC_SHA256", HmacSha256, [Key, Key].as_slice()),
            ("key=any,algorithm=HMAC_SHA1", HmacSha1, &[SettingsHeader, Key, Key]),
            ("key=any,algorithm=HMAC_SHA1", HmacSha256, &[OtherAlgorithm, Key, Key]),
            ("key=sha256,algorithm=HMAC_SHA1", HmacSha1, &[SettingsHeader, Key, OtherAlgorithm, Key]),
            ("key=unknown,algorithm=HMAC_SHA256", HmacSha256, &[Key, Key, Key]),
            ("key=", HmacSha1, &[SettingsHeader; 4]),
            ("", HmacSha1, &[SettingsHeader; 3]),
        ] {
            let headers: Headers = [(SIGNATURE_SETTINGS_HEADER, settings)].into_iter().collect();
            let signers = other_signers(&account, algorithm, SignatureSettings::read(&headers));
            let found: Vec<_> = signers.map(|(_, difference)| difference.kind).collect();
            assert_eq!(found, kinds, "{settings:?} {algorithm}");
        }
    }
}
