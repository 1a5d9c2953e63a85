//! Values of options as people write them, and what is said of a text that is none: numbers and addresses.
//!
//! Knows texts only, and no option.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Reads a whole number of that range.
pub fn number<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync,
{
    move |text: &str| {
        let parsed = text.parse().ok().filter(|number| range.contains(number));
        parsed.ok_or_else(|| format!("expected a whole number from {} to {}", range.start(), range.end()))
    }
}

/// Reads a whole number, however large.
///
/// # Errors
/// A sentence for people.
pub fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "expected a whole number, 0 or more".to_owned())
}

/// Reads where to listen.
///
/// # Errors
/// A sentence for people.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "expected a numeric address, a colon and a port from 0 to 65535, like 127.0.0.1:8080 or [::1]:8080".to_owned()
    })
}
