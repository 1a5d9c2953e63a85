//! The JSON schema of a kind of file, as text.

use schemars::JsonSchema;

/// The schema of that type.
///
/// # Panics
/// Never: a schema is JSON.
pub(crate) fn of<T: JsonSchema>() -> String {
    serde_json::to_string_pretty(&schemars::schema_for!(T)).expect("a schema is JSON")
}
