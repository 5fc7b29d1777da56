//! Ports that nobody listens on.

use std::{
    mem,
    net::{Ipv4Addr, TcpListener},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
};

/// `N` free ports of 127.0.0.1, each with the port 10,000 above it free too.
///
/// They lie below the range from which Linux gives ports to those who ask for any, so that nobody gets one meanwhile, or while its server
/// is dead and about to come back. No other test process gets one before this one ends.
pub(crate) fn free<const N: usize>() -> [u16; N] {
    let mut held = Vec::new();
    std::array::from_fn(|_| {
        loop {
            let port = rand::random_range(10_000..22_000);
            let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
            if !(taken(port) && taken(port + 10_000)) {
                continue;
            }
            if let (Ok(this), Ok(above)) = (bind(port), bind(port + 10_000)) {
                held.push((this, above));
                return port;
            }
        }
    })
}

/// Takes a port for this process, by a name among the kernel's sockets that goes with the process; `false` where another one has it.
fn taken(port: u16) -> bool {
    let name = SocketAddr::from_abstract_name(format!("docmill-test-port-{port}")).expect("the name is short");
    UnixListener::bind_addr(&name).map(mem::forget).is_ok()
}
