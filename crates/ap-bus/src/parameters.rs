//! Parameters of a module, as they are given when it is loaded. (Specification, pages 2 and 6, F12.)

use ap_types::NumberError;
use ap_types::grammar::strict;

/// Module parameters of `ap`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Parameters {
    /// `apmask=`.
    pub apmask: Option<String>,
    /// `aqmask=`.
    pub aqmask: Option<String>,
    /// `domain=`: as given, not the default domain that came of it.
    pub domain: Option<i32>,
    /// `msgpool_min_items=`.
    pub msgpool_min_items: Option<u32>,
    /// `useirq=`.
    pub useirq: Option<i32>,
    /// `poll_thread=`.
    pub poll_thread: Option<i32>,
}

/// Why a module was not loaded: a value that is none for its parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// It is not of its form, or missing (`EINVAL`).
    #[error("a value is invalid for its parameter")]
    Invalid,
    /// It is a number out of range (`ERANGE`).
    #[error("a value is out of the range of its parameter")]
    Range,
}

impl From<NumberError> for ParameterError {
    fn from(error: NumberError) -> Self {
        match error {
            NumberError::Invalid => ParameterError::Invalid,
            NumberError::Range => ParameterError::Range,
        }
    }
}

/// Whether a module has that parameter, and whether its value is one.
pub type Taken = Option<Result<(), ParameterError>>;

impl Parameters {
    /// Takes a parameter of `ap`; `None` if there is none of that name.
    pub fn take(&mut self, name: &str, value: Option<&str>) -> Taken {
        fn put<T>(
            to: &mut Option<T>,
            value: Option<&str>,
            parse: impl FnOnce(&str) -> Result<T, ParameterError>,
        ) -> Result<(), ParameterError> {
            *to = Some(parse(value.ok_or(ParameterError::Invalid)?)?);
            Ok(())
        }
        let text = |text: &str| Ok(text.to_owned());
        Some(match name {
            "apmask" => put(&mut self.apmask, value, text),
            "aqmask" => put(&mut self.aqmask, value, text),
            "domain" => put(&mut self.domain, value, integer),
            "msgpool_min_items" => unsigned(value).map(|items| self.msgpool_min_items = Some(items)),
            "poll_thread" => put(&mut self.poll_thread, value, integer),
            "useirq" => put(&mut self.useirq, value, integer),
            _ => return None,
        })
    }
}

/// The value of a parameter that is an unsigned number.
///
/// # Errors
/// [`ParameterError`]; also if there is no value.
pub fn unsigned(value: Option<&str>) -> Result<u32, ParameterError> {
    let text = value.ok_or(ParameterError::Invalid)?;
    u32::try_from(strict(text.as_bytes())?).map_err(|_| ParameterError::Range)
}

/// A signed number: optional sign, then the digits of a strict number (page 5).
fn integer(text: &str) -> Result<i32, ParameterError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) if rest.starts_with('+') => return Err(ParameterError::Invalid),
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let number = i128::from(strict(digits.as_bytes())?);
    i32::try_from(if negative { -number } else { number }).map_err(|_| ParameterError::Range)
}

/// Reads the parameters that a module is loaded with and gives each to `take`. What the module does not have, and what
/// follows `--`, is ignored, and logged.
///
/// # Errors
/// The first value that is none for its parameter, which is logged.
pub fn parse(
    module: &str,
    text: &str,
    log: impl Fn(u8, String),
    mut take: impl FnMut(&str, Option<&str>) -> Taken,
) -> Result<(), ParameterError> {
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let word;
        (word, rest) = next(rest);
        if word == "--" {
            log(4, format!("{module}: parameters '{rest}' after `--' ignored"));
            return Ok(());
        }
        let (name, value) = named(word);
        match take(&name.replace('-', "_"), value) {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                let value = value.unwrap_or_default();
                log(3, format!("{module}: `{value}' invalid for parameter `{name}'"));
                return Err(error);
            }
            None => log(4, format!("{module}: unknown parameter '{name}' ignored")),
        }
    }
    Ok(())
}

/// The first word, up to white space that is not between quotes, and what follows.
fn next(text: &str) -> (&str, &str) {
    let mut quoted = false;
    let end = text.find(|character: char| {
        quoted ^= character == '"';
        character.is_ascii_whitespace() && !quoted
    });
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (word, rest.trim_start())
}

/// A word's name and value, without the quotes around the value or around both.
fn named(word: &str) -> (&str, Option<&str>) {
    let inner = word.strip_prefix('"');
    let whole = inner.map_or(word, |inner| inner.strip_suffix('"').unwrap_or(inner));
    match whole.split_once('=') {
        Some((name, value)) => {
            let unquoted = value.strip_prefix('"').map(|value| value.strip_suffix('"').unwrap_or(value));
            (name, Some(unquoted.unwrap_or(value)))
        }
        None => (whole, None),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn parsed(text: &str) -> (Result<(), ParameterError>, Parameters, Vec<String>) {
        let (lines, mut parameters) = (RefCell::<Vec<String>>::default(), Parameters::default());
        let log = |level, line| lines.borrow_mut().push(format!("<{level}>{line}"));
        let result = parse("ap", text, log, |name, value| parameters.take(name, value));
        (result, parameters, lines.into_inner())
    }

    #[test]
    fn f12_values_are_quoted_or_not() {
        for text in ["apmask=+4,+6", "apmask=\"+4,+6\"", "\"apmask=+4,+6\"", " \tapmask=+4,+6\n"] {
            assert_eq!(parsed(text).1.apmask.as_deref(), Some("+4,+6"), "{text}");
        }
        let (_, parameters, _) =
            parsed("apmask=\"0x08 9\" domain=6 poll-thread=0x1 aqmask= useirq=-2147483648");
        assert_eq!(parameters.apmask.as_deref(), Some("0x08 9"));
        assert_eq!(parameters.aqmask.as_deref(), Some(""));
        assert_eq!((parameters.domain, parameters.poll_thread), (Some(6), Some(1)));
        assert_eq!(parameters.useirq, Some(i32::MIN));
    }

    #[test]
    fn f12_what_is_unknown_is_ignored() {
        let (result, parameters, log) = parsed("nosuch=1 junk domain=6 -- useirq=x");
        assert_eq!((result, parameters.domain, parameters.useirq), (Ok(()), Some(6), None));
        let expected = [
            "<4>ap: unknown parameter 'nosuch' ignored",
            "<4>ap: unknown parameter 'junk' ignored",
            "<4>ap: parameters 'useirq=x' after `--' ignored",
        ];
        assert_eq!(log, expected);
    }

    #[test]
    fn f12_the_first_bad_value_ends_it() {
        use ParameterError::{Invalid, Range};
        for (text, error, value, name) in [
            ("poll_thread=y domain=x", Invalid, "y", "poll_thread"),
            ("domain=99999999999", Range, "99999999999", "domain"),
            ("domain=2147483648", Range, "2147483648", "domain"),
            ("useirq=-99999999999999999999", Range, "-99999999999999999999", "useirq"),
            ("domain=-+1", Invalid, "-+1", "domain"),
            ("domain=", Invalid, "", "domain"),
            ("apmask", Invalid, "", "apmask"),
            ("msgpool_min_items=-1", Invalid, "-1", "msgpool_min_items"),
            ("msgpool_min_items=4294967296", Range, "4294967296", "msgpool_min_items"),
        ] {
            let (result, _, log) = parsed(text);
            assert_eq!(result, Err(error), "{text}");
            assert_eq!(log, [format!("<3>ap: `{value}' invalid for parameter `{name}'")]);
        }
    }
}
