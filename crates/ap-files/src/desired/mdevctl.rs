//! What `mdevctl list --dumpjson` prints, as a desired state.

use std::ops::Range;

use ap_sysfs::nearest::meant;
use ap_types::grammar::{ap_config, strict};
use ap_types::{AdapterId, DomainId, Matrix, Uuid, grammar};
use serde_json::{Map, Value};

use super::check::Mdevs;
use super::model::{Boot, DesiredFile, DesiredMdev, Unlisted};
use crate::error::Problem;

const TYPE: &str = "vfio_ap-passthrough";

/// The mdevs of type `vfio_ap-passthrough` whose parent is `matrix`; those of other drivers are not ours.
pub(super) fn parse(text: &str) -> Result<DesiredFile, Problem> {
    let place = |of: &str| place(text, of);
    let wrong = |message: &str, of: &str| {
        Problem::new(place(of), message.to_owned(), "expected what `mdevctl list --dumpjson` prints")
            .help("other desired states are TOML: begin with `schema = \"apmatrix.desired/1\"`")
    };
    let value: Value = serde_json::from_str(text).map_err(|error| broken(text, &error))?;
    if let Some(schema) = value.get("schema").and_then(Value::as_str) {
        return Err(of_ours(text, schema));
    }
    let parents: Vec<&Map<String, Value>> = match &value {
        Value::Array(all) => all.iter().filter_map(Value::as_object).collect(),
        Value::Object(one) => vec![one],
        _ => Vec::new(),
    };
    let mut mdevs = Mdevs::default();
    let mut seen = false;
    for (_, devices) in parents.iter().flat_map(|parent| parent.iter()).filter(|(name, _)| *name == "matrix")
    {
        seen = true;
        let devices =
            devices.as_array().ok_or_else(|| wrong("the mdevs of `matrix` are no list", "\"matrix\""))?;
        for (name, device) in devices.iter().filter_map(Value::as_object).flatten() {
            if device.get("mdev_type").and_then(Value::as_str) != Some(TYPE) {
                continue;
            }
            let uuid = named(name).ok_or_else(|| wrong(&format!("`{name}` is not a UUID"), name))?;
            let matrix = match device.get("attrs") {
                None => Ok(Matrix::default()),
                Some(Value::Array(attrs)) => attributes(attrs),
                Some(_) => Err("its `attrs` are no list".to_owned()),
            };
            let matrix = matrix.map_err(|what| wrong(&format!("mdev {name}: {what}"), name))?;
            let boot = match device.get("start").and_then(Value::as_str) {
                Some("auto") => Some(Boot::Auto),
                Some("manual") => Some(Boot::Manual),
                _ => None,
            };
            mdevs.add(DesiredMdev { uuid, matrix, control_by_default: false, boot }, place(name))?;
        }
    }
    if !seen && !parents.iter().all(|parent| parent.values().all(Value::is_array)) {
        return Err(wrong("this JSON lists no mdevs", ""));
    }
    let mdevs = mdevs.into_list();
    Ok(DesiredFile { unlisted: Unlisted::Keep, give: None, apmask: None, aqmask: None, mdevs })
}

/// Whether a text begins as a list of objects does in JSON.
pub(super) fn is_list(text: &str) -> bool {
    let inner = text.trim_start().strip_prefix('[').map(str::trim_start);
    inner.is_some_and(|inner| inner.starts_with('{'))
}

/// A text that begins as JSON, and is none.
fn broken(text: &str, error: &serde_json::Error) -> Problem {
    if error.is_eof() {
        let end = text.trim_end().len();
        let problem = Problem::new(
            end.saturating_sub(1)..end,
            "the JSON ends too soon",
            "expected the rest of it here",
        );
        return problem.help("the file may be cut off: write it anew");
    }
    let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let mut at = (before + error.column().saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let said = error.to_string();
    let said = said.split(" at line ").next().unwrap_or_default();
    Problem::new(
        at..text.len().min(at + 1),
        format!("this is no JSON: {said}"),
        "expected what `mdevctl list --dumpjson` prints",
    )
}

/// A document of ours that says no desired state.
fn of_ours(text: &str, schema: &str) -> Problem {
    let (kind, _) = schema.rsplit_once('/').unwrap_or((schema, ""));
    let problem = Problem::new(
        place(text, schema),
        format!("this is a document `{schema}`, and no desired state"),
        "expected a desired state",
    );
    match kind {
        "apmatrix.plan" => problem.help("this is a plan: `apmatrix apply FILE` takes it"),
        "apmatrix.ls" => problem.help("`apmatrix ls --json` prints that; `apmatrix import` writes a host down as a file that can be planned"),
        _ => problem.help("other desired states are TOML: begin with `schema = \"apmatrix.desired/1\"`"),
    }
}

/// The attributes of an mdev that mdevctl writes.
const ATTRIBUTES: [&str; 7] = [
    "assign_adapter",
    "assign_domain",
    "assign_control_domain",
    "unassign_adapter",
    "unassign_domain",
    "unassign_control_domain",
    "ap_config",
];

fn named(name: &str) -> Option<Uuid> {
    Some(name).filter(|name| name.len() == 36).and_then(|name| grammar::uuid(name.as_bytes()).ok())
}

/// Where a word of the text is.
fn place(text: &str, word: &str) -> Range<usize> {
    let at = text.find(word).unwrap_or(0);
    at..(at + word.len().max(1)).min(text.len())
}

/// The matrix that attributes, written in that order, make.
fn attributes(attrs: &[Value]) -> Result<Matrix, String> {
    let mut matrix = Matrix::default();
    if attrs.iter().any(|attribute| !attribute.is_object()) {
        return Err("of its `attrs` one is no attribute with a value".to_owned());
    }
    for (name, value) in attrs.iter().filter_map(Value::as_object).flatten() {
        let text = value.as_str().ok_or_else(|| format!("the value of `{name}` is no text"))?;
        let id = || {
            let id = strict(text.as_bytes()).ok().and_then(|id| u8::try_from(id).ok());
            id.ok_or_else(|| format!("`{text}` of `{name}` is no id"))
        };
        match name.as_str() {
            "assign_adapter" => drop(matrix.adapters.insert(AdapterId(id()?))),
            "assign_domain" => drop(matrix.domains.insert(DomainId(id()?))),
            "assign_control_domain" => drop(matrix.control_domains.insert(DomainId(id()?))),
            "unassign_adapter" => drop(matrix.adapters.remove(AdapterId(id()?))),
            "unassign_domain" => drop(matrix.domains.remove(DomainId(id()?))),
            "unassign_control_domain" => drop(matrix.control_domains.remove(DomainId(id()?))),
            "ap_config" => {
                matrix = ap_config(text.as_bytes()).map_err(|error| format!("`ap_config`: {error}"))?;
            }
            other => {
                let near = meant(other, ATTRIBUTES);
                let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                return Err(format!("there is no attribute `{other}` of a matrix mdev{near}"));
            }
        }
    }
    Ok(matrix)
}
