//! The JSON schema of a document that is printed, made of its type.
//!
//! Knows no document; each command names its own.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// A document or a file format: its name, what it is, and how its schema is made.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// `ls`, without `apmatrix.` and `/1`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// Its schema.
    pub schema: fn() -> Schema,
}

impl Named {
    /// A document of that name.
    #[must_use]
    pub const fn new(name: &'static str, about: &'static str, schema: fn() -> Schema) -> Named {
        Named { name, about, schema }
    }

    /// Its schema, with the document's whole name as title, and in `schema` where the document says it.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut schema = (self.schema)();
        let name = format!("apmatrix.{}/1", self.name);
        schema.insert("title".to_owned(), name.clone().into());
        if let Some(key) = schema.pointer_mut("/properties/schema") {
            *key = json!({ "const": name, "description": "The document's name." });
        }
        schema.into()
    }
}

/// The schema of what a type is written down as.
#[must_use]
pub fn of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}
