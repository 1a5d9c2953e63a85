//! The errno of a transcript's line.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// An errno as transcripts write it: the number 0, or a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// Success.
    Zero,
    /// `EBUSY`, …
    Name(String),
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Code::Zero => f.write_str("0"),
            Code::Name(name) => f.write_str(name),
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Code::Zero => serializer.serialize_u64(0),
            Code::Name(name) => serializer.serialize_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
        struct Errno;
        impl Visitor<'_> for Errno {
            type Value = Code;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("0 or the name of an errno")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Code, E> {
                if number == 0 {
                    Ok(Code::Zero)
                } else {
                    Err(E::invalid_value(de::Unexpected::Unsigned(number), &self))
                }
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Code, E> {
                if name.starts_with('E') && name.len() > 1 {
                    Ok(Code::Name(name.to_owned()))
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(name), &self))
                }
            }
        }
        deserializer.deserialize_any(Errno)
    }
}

impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "const": 0 }, { "type": "string", "pattern": "^E[A-Z0-9]+$" }] })
    }
}
