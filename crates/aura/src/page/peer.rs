// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whose program is at the other end of a connection over loopback, as the kernel says.
//!
//! Any user of this machine may connect to any port of it, and a browser shows its cookies for this host to every port. So a
//! stolen cookie, or a guess, is of no use to another user: their connections are not listened to.

#[cfg(target_os = "linux")]
use std::net::IpAddr;
use std::net::SocketAddr;

/// The kernel's list of connections.
#[cfg(target_os = "linux")]
const TABLE: &str = "/proc/net/tcp";

/// Whether the caller's end belongs to this user. Where the system does not say, everybody is let as far as the token.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_own(_caller: SocketAddr, _here: SocketAddr) -> bool {
    true
}

/// Whether the caller's end belongs to this user.
#[cfg(target_os = "linux")]
pub(crate) fn is_own(caller: SocketAddr, here: SocketAddr) -> bool {
    let table = std::fs::read_to_string(TABLE).unwrap_or_default();
    owner(&table, caller, here) == Some(rustix::process::geteuid().as_raw())
}

/// Who owns the end at `caller` of the connection to `here`.
#[cfg(target_os = "linux")]
fn owner(table: &str, caller: SocketAddr, here: SocketAddr) -> Option<u32> {
    let (caller, here) = (place(caller)?, place(here)?);
    table.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let is_it = words.nth(1) == Some(&caller) && words.next() == Some(&here);
        words.nth(4).filter(|_| is_it)?.parse().ok()
    })
}

/// An address as the kernel writes it: in the order of bytes in memory.
#[cfg(target_os = "linux")]
fn place(address: SocketAddr) -> Option<String> {
    let IpAddr::V4(ip) = address.ip() else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port()))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;

    /// attack AST-12: the kernel says whose a connection is.
    #[test]
    fn ast_12_a_connection_has_an_owner() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let here = listener.local_addr().unwrap();
        let stream = TcpStream::connect(here).unwrap();
        let (_held, caller) = listener.accept().unwrap();
        assert!(is_own(caller, here));
        assert!(!is_own(here, here));
        let table = std::fs::read_to_string(TABLE).unwrap();
        let uid = rustix::process::geteuid().as_raw();
        assert_eq!(owner(&table, caller, here), Some(uid));
        let line = |uid| {
            let (caller, here) = (place(caller).unwrap(), place(here).unwrap());
            format!(
                "  1: {here} {caller} 01 0:0 0:0 0 7 0 9\n  2: {caller} {here} 01 0:0 0:0 0 {uid} 0 9\n"
            )
        };
        assert_eq!(owner(&line(4_000), caller, here), Some(4_000));
        drop(stream);
    }
}
