//! End users, supporting documents and addresses: what profiles consist of.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trusthub_events::AccountSid;

use super::{
    clock::SimTime,
    page::{Listed, Page, PageStart, SerialList},
    sid_key::SidKey,
};

/// The kind of an object, which is also the collection that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ObjectKind {
    /// `/v1/EndUsers`
    EndUser,
    /// `/v1/SupportingDocuments`
    SupportingDocument,
    /// `/2010-04-01/Accounts/{AccountSid}/Addresses`
    Address,
}

impl ObjectKind {
    /// Returns the first two letters of the SIDs.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::EndUser => "IT",
            Self::SupportingDocument => "RD",
            Self::Address => "AD",
        }
    }
}

/// An object as Twilio stores it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ComplianceObject {
    /// The SID: the prefix of its kind and 32 hexadecimal digits.
    pub sid: String,
    /// The position in the order of creation among all profiles and objects of the simulator.
    pub(super) serial: u64,
    /// The collection that it belongs to.
    pub kind: ObjectKind,
    /// The account that owns it.
    pub account: AccountSid,
    /// The name that the owner gave it.
    pub friendly_name: String,
    /// The value of `Type`; empty for an address.
    pub object_type: String,
    /// The attributes, or the fields of an address, as the text of a JSON object.
    attributes: String,
    /// The media type of the file that was uploaded with a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The time of its creation.
    pub created: SimTime,
    /// The time of its last change.
    pub updated: SimTime,
}

/// The parameters of a new object.
#[derive(Debug, Clone)]
pub struct NewObject {
    /// The collection that it belongs to.
    pub kind: ObjectKind,
    /// The account that owns it.
    pub account: AccountSid,
    /// The name that the owner gave it.
    pub friendly_name: String,
    /// The value of `Type`; empty for an address.
    pub object_type: String,
    /// The attributes, or the fields of an address.
    pub attributes: Map<String, Value>,
    /// The media type of the file that was uploaded with a document.
    pub mime_type: Option<String>,
}

/// A change of an object. `None` leaves a part as it is.
#[derive(Debug, Clone, Default)]
pub struct ObjectEdit {
    /// The new name.
    pub friendly_name: Option<String>,
    /// The attributes that replace the present ones.
    pub attributes: Option<Map<String, Value>>,
}

impl ComplianceObject {
    pub(super) fn new(sid: String, serial: u64, new: NewObject, now: SimTime) -> Self {
        let NewObject { kind, account, friendly_name, object_type, attributes, mime_type } = new;
        let attributes = text(attributes);
        Self {
            sid,
            serial,
            kind,
            account,
            friendly_name,
            object_type,
            attributes,
            mime_type,
            created: now,
            updated: now,
        }
    }

    pub(super) fn edit(&mut self, edit: ObjectEdit, now: SimTime) {
        if let Some(name) = edit.friendly_name {
            self.friendly_name = name;
        }
        if let Some(attributes) = edit.attributes {
            self.attributes = text(attributes);
        }
        self.updated = now;
    }

    /// Returns the attributes, or the fields of an address.
    #[must_use]
    pub fn attributes(&self) -> Map<String, Value> {
        serde_json::from_str(&self.attributes).unwrap_or_default()
    }
}

/// Attributes are stored as text, which takes a fraction of the memory of their values.
fn text(attributes: Map<String, Value>) -> String {
    Value::Object(attributes).to_string()
}

impl Listed for ComplianceObject {
    fn serial(&self) -> u64 {
        self.serial
    }
}

/// All objects of all accounts.
#[derive(Debug, Default)]
pub(super) struct ObjectStore {
    /// Each object is a block of its own, so that the free space of the map has no objects.
    objects: HashMap<SidKey, Box<ComplianceObject>>,
    /// The SIDs of the objects of each list by serial number.
    lists: HashMap<(AccountSid, ObjectKind), BTreeMap<u64, SidKey>>,
}

impl ObjectStore {
    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Returns whether an object of any account has this SID.
    pub(super) fn contains(&self, sid: &str) -> bool {
        SidKey::parse(sid).is_some_and(|key| self.objects.contains_key(&key))
    }

    /// Returns the object with this SID, if it belongs to this account.
    pub(super) fn get(&self, account: &AccountSid, sid: &str) -> Option<&ComplianceObject> {
        self.find(&SidKey::parse(sid)?).filter(|object| object.account == *account)
    }

    fn find(&self, key: &SidKey) -> Option<&ComplianceObject> {
        self.objects.get(key).map(Box::as_ref)
    }

    pub(super) fn page(&self, account: &AccountSid, kind: ObjectKind, start: PageStart, size: usize) -> ObjectPage {
        let empty = BTreeMap::new();
        let serials = self.lists.get(&(*account, kind)).unwrap_or(&empty);
        SerialList { serials, find: &|key| self.find(key), matches: &|_| true }.page(start, size)
    }

    /// Adds an object, or replaces the one with the same SID and serial number.
    pub(super) fn insert(&mut self, object: ComplianceObject) {
        // Every object has a SID, because the simulator made it.
        let Some(key) = SidKey::parse(&object.sid) else { return };
        let list = (object.account, object.kind);
        self.lists.entry(list).or_default().insert(object.serial, key);
        self.objects.insert(key, Box::new(object));
    }

    pub(super) fn remove(&mut self, sid: &str) {
        let Some(object) = SidKey::parse(sid).and_then(|key| self.objects.remove(&key)) else { return };
        if let Some(list) = self.lists.get_mut(&(object.account, object.kind)) {
            list.remove(&object.serial);
        }
    }
}

/// One page of a list of objects.
pub type ObjectPage = Page<ComplianceObject>;
