//! Who may ask, and what answers say of themselves.
//!
//! A page of somebody else's in the same browser may send requests here, also under a name of its own that it makes
//! lead to this address. So the `Host` must be `localhost` or an address, never another name; and where there is an
//! `Origin`, it must be ours.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers only those who may ask.
pub(crate) async fn guard(remote: bool, request: Request, next: Next) -> Response {
    let mut response = match refusal(remote, request.headers()) {
        None => next.run(request).await,
        Some(why) => (StatusCode::FORBIDDEN, format!("{why}\n")).into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Why a request is refused.
fn refusal(remote: bool, headers: &HeaderMap) -> Option<&'static str> {
    let only = |name| {
        let mut all = headers.get_all(name).iter();
        let first = all.next().map(|value| value.to_str().unwrap_or_default());
        if all.next().is_some() { Some("") } else { first }
    };
    let host = only(HOST).unwrap_or_default();
    if !may_be_host(host, remote) {
        return Some("this Host is not served: use localhost, or the address that was printed");
    }
    if only(ORIGIN).is_some_and(|origin| origin.strip_prefix("http://") != Some(host)) {
        return Some("another site asks: its Origin is not this server");
    }
    let site = only(HeaderName::from_static("sec-fetch-site"));
    match site {
        Some("cross-site" | "same-site" | "") => Some("another site asks"),
        _ => None,
    }
}

/// Whether a `Host` is one of ours: a loopback name or address; any address, if others may ask.
fn may_be_host(host: &str, remote: bool) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(address, _)| address),
        None => host.split(':').next(),
    };
    match name.map(|name| (name, name.parse::<IpAddr>())) {
        Some((_, Ok(address))) => remote || address.is_loopback(),
        Some((name, Err(_))) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = all.iter();
        pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_our_own_names_are_served() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.0.0.2", "[::1]:1"] {
            assert!(may_be_host(host, false), "{host}");
        }
        for host in
            ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::1", "10.0.0.1:80"]
        {
            assert!(!may_be_host(host, false), "{host}");
        }
        assert!(may_be_host("10.0.0.1:80", true));
        assert!(!may_be_host("evil.example", true));
    }

    #[test]
    fn other_sites_are_refused() {
        let ours = headers(&[("host", "127.0.0.1:80"), ("origin", "http://127.0.0.1:80")]);
        assert_eq!(refusal(false, &ours), None);
        for other in ["http://evil.example", "null", "https://127.0.0.1:80", "http://127.0.0.1:81"] {
            assert!(
                refusal(false, &headers(&[("host", "127.0.0.1:80"), ("origin", other)])).is_some(),
                "{other}"
            );
        }
        let fetched = headers(&[("host", "localhost"), ("sec-fetch-site", "cross-site")]);
        assert!(refusal(false, &fetched).is_some());
        let twice = {
            let mut twice = headers(&[("host", "localhost")]);
            twice.append(HOST, HeaderValue::from_static("evil.example"));
            twice
        };
        assert!(refusal(false, &twice).is_some());
    }
}
