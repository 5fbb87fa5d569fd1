//! The Avro schemas with which records were written, by the id that the registry gave them.
//!
//! The process remembers them once for all readers, also those that it writes with. So a reader that starts while the registry
//! does not answer can read what this process has read or written before.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;

use crate::domain::avro::AvroSchema;

/// More schemas than the records of a topic have, unless something else writes to it.
const MAX_SCHEMAS: usize = 256;

static REMEMBERED: RwLock<SchemasById> = RwLock::new(SchemasById(BTreeMap::new()));

/// By the URL of the registry and the id. One registry does not have the ids of another.
struct SchemasById(BTreeMap<(String, u32), Arc<AvroSchema>>);

impl SchemasById {
    fn get(&self, url: &str, id: u32) -> Option<Arc<AvroSchema>> {
        self.0.get(&(url.to_owned(), id)).map(Arc::clone)
    }

    fn insert(&mut self, url: &str, id: u32, schema: Arc<AvroSchema>) {
        if self.0.len() >= MAX_SCHEMAS {
            self.0.clear();
        }
        self.0.insert((url.to_owned(), id), schema);
    }
}

/// The schema with this id in the registry at this URL, if the process knows it.
pub(crate) fn remembered(url: &str, id: u32) -> Option<Arc<AvroSchema>> {
    REMEMBERED.read().get(url, id)
}

/// Remembers a schema instead of what the id had before.
pub(crate) fn remember(url: &str, id: u32, schema: Arc<AvroSchema>) {
    REMEMBERED.write().insert(url, id, schema);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::DataSchema;

    #[test]
    fn name_has_its_namespace_from_either_place() {
        let schema = DataSchema::ProfileDeleted;
        for text in [
            schema.avro(),
            r#"{"type": "record", "name": "io.trusthub_bridge.v1.ProfileDeleted", "fields": []}"#,
            r#"{"type": "record", "name": "io.trusthub_bridge.v1.ProfileDeleted", "namespace": "a", "fields": []}"#,
        ] {
            let parsed = AvroSchema::parse(text).unwrap();
            assert!(parsed.is_version_of(schema) && !parsed.is_version_of(DataSchema::ProfileState), "{text}");
        }
        for text in [r#"{"type": "record", "name": "ProfileDeleted", "fields": []}"#, r#""string""#] {
            assert!(!AvroSchema::parse(text).unwrap().is_version_of(schema), "{text}");
        }
    }

    #[test]
    fn memory_is_bounded_and_separate_for_each_registry() {
        let schema = Arc::new(AvroSchema::parse(r#""string""#).unwrap());
        let mut schemas = SchemasById(BTreeMap::new());
        schemas.insert("a", 1, Arc::clone(&schema));
        assert!(schemas.get("a", 1).is_some() && schemas.get("b", 1).is_none());
        (0..=300).for_each(|id| schemas.insert("b", id, Arc::clone(&schema)));
        assert!(schemas.0.len() <= MAX_SCHEMAS && schemas.get("b", 300).is_some());
    }
}
