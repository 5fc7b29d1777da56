//! Ports that nobody listens on.

use std::net::{Ipv4Addr, TcpListener};

/// `N` free ports of 127.0.0.1, each with the port 10,000 above it free too.
///
/// They lie below the range from which Linux gives ports to those who ask for any, so that nobody gets one meanwhile, or while its server
/// is dead and about to come back.
pub(crate) fn free<const N: usize>() -> [u16; N] {
    let mut held = Vec::new();
    std::array::from_fn(|_| {
        loop {
            let port = rand::random_range(10_000..22_000);
            let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
            if let (Ok(this), Ok(above)) = (bind(port), bind(port + 10_000)) {
                held.push((this, above));
                return port;
            }
        }
    })
}
