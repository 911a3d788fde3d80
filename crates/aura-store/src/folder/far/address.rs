// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where far files are: `s3://BUCKET/PREFIX`, `webdavs://HOST:PORT/PATH`, `sftp://USER@HOST:PORT/PATH`.
//!
//! No password, query or fragment can stand in one, and nothing that a program on the way could take for an option.

use core::fmt;

use reqwest::Url;

/// The longest address, in bytes.
const ADDRESS_BYTES_MAX: usize = 600;

/// Why a text is no such address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected s3://BUCKET/PREFIX, webdavs://HOST/PATH or sftp://USER@HOST/PATH")]
pub struct FarAddressError;

/// How files are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// A bucket, over HTTPS.
    S3,
    /// WebDAV, over HTTPS or, where that is allowed, plain HTTP.
    Webdav,
    /// SFTP, by the system's `ssh`.
    Sftp,
}

impl Kind {
    /// As people call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Webdav => "webdav",
            Self::Sftp => "sftp",
        }
    }
}

/// An address, in its one spelling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FarAddress {
    kind: Kind,
    /// Whether what is sent is encrypted on the way.
    is_tls: bool,
    user: Option<String>,
    /// A host's name; a bucket's.
    host: String,
    port: Option<u16>,
    /// Decoded, without empty ones.
    segments: Vec<String>,
}

impl FarAddress {
    /// Whether a text is meant to be one, rather than a folder or a server of Aura's.
    pub fn is_meant(text: &str) -> bool {
        let scheme = text.trim().split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        scheme.is_some_and(|scheme| scheme_of(&scheme).is_some())
    }

    /// The address that this text is.
    ///
    /// # Errors
    /// When it is none, or has a password, a query or a name that could be taken for something else.
    pub fn parse(text: &str) -> Result<Self, FarAddressError> {
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(FarAddressError);
        }
        let url = Url::parse(text.trim()).map_err(|_| FarAddressError)?;
        let (kind, is_tls) = scheme_of(url.scheme()).ok_or(FarAddressError)?;
        let user = Some(url.username()).filter(|user| !user.is_empty());
        let host = url.host_str().unwrap_or_default().to_owned();
        let is_named = match kind {
            Kind::S3 => is_bucket(&host) && url.port().is_none() && user.is_none(),
            Kind::Webdav => is_host(&host) && user.is_none(),
            Kind::Sftp => is_host(&host) && user.is_none_or(is_user),
        };
        let is_bare = url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        if !is_named || !is_bare || url.port() == Some(0) {
            return Err(FarAddressError);
        }
        let parts = url.path().split('/').filter(|part| !part.is_empty());
        let segments = parts.map(decoded).collect::<Option<_>>().ok_or(FarAddressError)?;
        // Every spelling of a name is one store.
        let host = host.to_ascii_lowercase();
        let user = user.map(str::to_owned);
        Ok(Self { kind, is_tls, user, host, port: url.port(), segments })
    }

    /// How it is reached.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it is a host on this very device.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether what is sent is encrypted on the way.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    pub(super) fn segments(&self) -> &[String] {
        &self.segments
    }
}

impl fmt::Display for FarAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.kind, self.is_tls) {
            (Kind::S3, _) => "s3",
            (Kind::Webdav, true) => "webdavs",
            (Kind::Webdav, false) => "webdav",
            (Kind::Sftp, _) => "sftp",
        };
        write!(f, "{scheme}://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.segments.iter().try_for_each(|segment| {
            f.write_str("/")?;
            encoded(segment, f)
        })
    }
}

fn scheme_of(scheme: &str) -> Option<(Kind, bool)> {
    match scheme {
        "s3" => Some((Kind::S3, true)),
        "webdavs" | "davs" | "https+webdav" => Some((Kind::Webdav, true)),
        "webdav" | "dav" | "http+webdav" => Some((Kind::Webdav, false)),
        "sftp" => Some((Kind::Sftp, true)),
        _ => None,
    }
}

/// Whether a host's name or address is this very device's.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Letters, digits, dots and dashes, not a dash first; or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_v6 = inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok());
    is_v6 || is_plain(host, &['.', '-', '_'])
}

fn is_user(user: &str) -> bool {
    is_plain(user, &['.', '-', '_', '+'])
}

fn is_bucket(bucket: &str) -> bool {
    let fits =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_');
    (3..=63).contains(&bucket.len()) && !bucket.starts_with(['-', '.']) && bucket.chars().all(fits)
}

fn is_plain(text: &str, more: &[char]) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || more.contains(&c);
    !text.is_empty() && text.len() <= 253 && !text.starts_with('-') && text.chars().all(fits)
}

/// A part of a path; nothing if it is not one name.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high << 4 | low).ok()?);
    }
    let text = String::from_utf8(bytes).ok()?;
    let is_name = !matches!(text.as_str(), "." | "..")
        && !text.contains(['/', '\\'])
        && !text.chars().any(char::is_control);
    is_name.then_some(text)
}

fn encoded(segment: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in segment.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b'+' => write!(f, "{}", char::from(byte))?,
            byte if byte.is_ascii_alphanumeric() => write!(f, "{}", char::from(byte))?,
            byte => write!(f, "%{byte:02X}")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FLD-13.
    #[test]
    fn fld_13_an_address_has_one_spelling() {
        for (text, one) in [
            ("s3://my-bucket", "s3://my-bucket"),
            ("s3://my-bucket/aura//nora/", "s3://my-bucket/aura/nora"),
            ("webdavs://NAS.Example:5006/home/Aura", "webdavs://nas.example:5006/home/Aura"),
            ("https+webdav://nas.example/a b", "webdavs://nas.example/a%20b"),
            ("webdav://127.0.0.1:8080/%41ura", "webdav://127.0.0.1:8080/Aura"),
            ("sftp://nora@nas.example:2222/srv/aura", "sftp://nora@nas.example:2222/srv/aura"),
            ("sftp://nas/~/aura", "sftp://nas/~/aura"),
            ("sftp://[::1]/aura", "sftp://[::1]/aura"),
        ] {
            assert!(FarAddress::is_meant(text));
            let address = FarAddress::parse(text).unwrap();
            assert_eq!(address.to_string(), one);
            assert_eq!(FarAddress::parse(one).unwrap(), address);
        }
    }

    /// FLD-13: no secret, and nothing that `ssh` would take for an option.
    #[test]
    fn fld_13_what_is_none_is_refused() {
        for wrong in [
            "s3://",
            "s3://My_Bucket",
            "s3://-bucket",
            "s3://key:secret@bucket",
            "s3://key@bucket",
            "s3://bucket:9000",
            "s3://bucket/a?b",
            "s3://bucket/%2e%2e%2fa",
            "webdavs://nora:pw@nas.example/",
            "webdavs://nora@nas.example/",
            "webdavs://nas.example/a%00b",
            "webdavs://nas.example:0/",
            "webdavs://nas.example/#a",
            "sftp://-oProxyCommand=x/a",
            "sftp://-l@host/a",
            "sftp://nora:pw@host/a",
            "sftp://host/a%0Ab",
            "ftp://host/a",
            &format!("s3://bucket/{}", "a".repeat(ADDRESS_BYTES_MAX)),
        ] {
            assert_eq!(FarAddress::parse(wrong), Err(FarAddressError), "{wrong}");
        }
        assert!(!FarAddress::is_meant("https://aura.example"));
        assert!(!FarAddress::is_meant("/media/s3"));
    }

    #[test]
    fn this_device_is_known_by_its_names() {
        for (text, is) in [
            ("webdav://localhost/a", true),
            ("webdav://127.9.9.9:80/a", true),
            ("webdav://[::1]/a", true),
            ("webdav://localhost.example/a", false),
            ("webdav://10.0.0.1/a", false),
        ] {
            assert_eq!(FarAddress::parse(text).unwrap().is_loopback(), is, "{text}");
        }
    }
}
