//! What `mdevctl list --dumpjson` prints, as a desired state.

use std::ops::Range;

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
    let value: Value = serde_json::from_str(text).map_err(|error| wrong(&error.to_string(), ""))?;
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
            other => return Err(format!("there is no attribute `{other}` of a matrix mdev")),
        }
    }
    Ok(matrix)
}
