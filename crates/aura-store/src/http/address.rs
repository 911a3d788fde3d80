// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a server is: `https://HOST:PORT`, and nothing after it.

use core::fmt;

use reqwest::Url;

/// The longest address, in bytes.
const ADDRESS_BYTES_MAX: usize = 300;

/// Why a text is no server's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an address of the form https://HOST or https://HOST:PORT")]
pub struct AddressError;

/// A server's address, in its one spelling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(String);

impl Address {
    /// Whether a text is meant to be one, rather than a folder.
    pub fn is_meant(text: &str) -> bool {
        text.contains("://")
    }

    /// The address that this text is.
    ///
    /// # Errors
    /// When it is none: not HTTPS, or with a name, a password, a path or a query.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(AddressError);
        }
        let url = Url::parse(text.trim()).map_err(|_| AddressError)?;
        let is_bare = url.scheme() == "https"
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.port() != Some(0);
        if is_bare { Ok(Self(url.origin().ascii_serialization())) } else { Err(AddressError) }
    }

    /// The address's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A path there.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Name or address of the host, as TLS has it, and its port.
    pub(super) fn host(&self) -> Option<(String, u16)> {
        let url = Url::parse(&self.0).ok()?;
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        Some((host, url.port_or_known_default()?))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        for (text, one) in [
            ("https://aura.example", "https://aura.example"),
            (" HTTPS://Aura.Example:443/ ", "https://aura.example"),
            ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
            ("https://[::1]:8443/", "https://[::1]:8443"),
        ] {
            assert_eq!(Address::parse(text).unwrap().as_str(), one);
        }
        let v6 = Address::parse("https://[::1]:8443").unwrap();
        assert_eq!(v6.host().unwrap(), ("::1".to_owned(), 8443));
        for wrong in [
            "",
            "http://aura.example",
            "aura.example",
            "https://",
            "https://ada@aura.example",
            "https://ada:pw@aura.example",
            "https://aura.example/v1",
            "https://aura.example/?a",
            "https://aura.example/#a",
            "https://aura.example:0",
            "ftp://aura.example",
            &format!("https://{}", "a".repeat(ADDRESS_BYTES_MAX)),
        ] {
            assert_eq!(Address::parse(wrong), Err(AddressError), "{wrong}");
        }
    }
}
