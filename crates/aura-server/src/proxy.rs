// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a connection comes from that a proxy passes on: the PROXY protocol, version 2, from addresses that the operator
//! trusts and from nobody else.
//!
//! What follows its header is TLS, untouched. Source: HAProxy's proxy-protocol.txt, section 2.2.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Addresses and what may follow them, in bytes: no proxy sends more.
const REST_BYTES_MAX: usize = 1024;

/// Where the requests of a connection come from; nothing where its own address says that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin(pub(crate) Option<IpAddr>);

/// Reads the header that a trusted proxy begins a connection with.
pub(crate) async fn origin<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Origin> {
    let mut header = [0; 16];
    stream.read_exact(&mut header).await?;
    let [signature @ .., command, family, high, low] = header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if signature != SIGNATURE || length > REST_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    match command {
        // The proxy itself, to see whether the server is there.
        0x20 => Ok(Origin(None)),
        0x21 => Ok(Origin(address(family, &rest))),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The source's address, of IPv4 or IPv6.
fn address(family: u8, rest: &[u8]) -> Option<IpAddr> {
    match family >> 4 {
        1 => rest.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes).into()),
        2 => rest.first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn read(bytes: &[u8]) -> io::Result<(Origin, Vec<u8>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut stream = bytes;
            let origin = origin(&mut stream).await?;
            Ok((origin, stream.to_vec()))
        })
    }

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest, b"TLS"].concat()
    }

    #[test]
    fn a_header_says_where_from_and_leaves_the_rest() {
        let four = [192, 0, 2, 7, 10, 0, 0, 1, 1, 2, 3, 4];
        let (origin, rest) = read(&header(0x21, 0x11, &four)).unwrap();
        assert_eq!((origin, rest), (Origin(Some([192, 0, 2, 7].into())), b"TLS".to_vec()));
        let mut six = [0; 40];
        (six[0], six[15]) = (0x20, 9);
        let (origin, _) = read(&header(0x21, 0x21, &six)).unwrap();
        assert_eq!(origin, Origin(Some("2000::9".parse().unwrap())));
        // With more behind the addresses, about another kind of socket, and the proxy's own.
        assert_eq!(
            read(&header(0x21, 0x11, &[four.as_slice(), &[4; 99]].concat())).unwrap().1,
            b"TLS"
        );
        assert_eq!(read(&header(0x21, 0x31, &[1; 216])).unwrap().0, Origin(None));
        assert_eq!(read(&header(0x20, 0, &[])).unwrap().0, Origin(None));
    }

    /// attack AVL-04: what is no header, or no end of one, is refused.
    #[test]
    fn what_is_no_header_is_refused() {
        let whole = header(0x21, 0x11, &[1; 12]);
        for end in 0..28 {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
        let mut wrong = whole.clone();
        wrong[3] ^= 1;
        assert!(read(&wrong).is_err());
        assert!(read(&header(0x22, 0x11, &[1; 12])).is_err());
        assert!(read(&header(0x31, 0x11, &[1; 12])).is_err());
        assert!(read(&header(0x21, 0x11, &[1; REST_BYTES_MAX + 1])).is_err());
        assert!(read(b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n").is_err(), "version 1");
    }
}
