use std::{net::SocketAddr, time::Duration};

use docmill_domain::options::Secret;
use serde::{Deserialize, Serialize};

use crate::www::WwwConfig;

/// Section `[api]`: where clients reach docmill, and how much they may ask at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// Address and port; port 0 takes a free one. Loopback only, for as long as there are no API keys.
    pub listen: SocketAddr,
    /// An API key, `dmk_` and 64 hex digits, that is made with every scope for the tenant `default`, unless it was made before.
    pub first_key: Option<Secret>,
    /// Names, besides `localhost` and loopback addresses, under which clients may call for as long as there are no API keys: those that
    /// a proxy on this machine passes on.
    pub hosts: Vec<String>,
    /// Connections held open at once; further ones wait to be accepted.
    pub max_connections: usize,
    /// Uploads taken at once; further ones are answered 429.
    pub max_uploads: usize,
    /// An upload of which no byte comes for so many seconds is given up.
    pub upload_stall_seconds: u64,
    /// The longest `Prefer: wait`, in seconds.
    pub wait_max_seconds: u64,
    /// So many seconds after it was told to stop, the API still answers, but for uploads, while `/readyz` says that it drains: time for a
    /// load balancer to look elsewhere. Part of `lifecycle.grace_seconds`.
    pub drain_seconds: u64,
    /// A static site out of the bucket.
    pub www: WwwConfig,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            first_key: None,
            hosts: Vec::new(),
            max_connections: 1024,
            max_uploads: 32,
            upload_stall_seconds: 30,
            wait_max_seconds: 60,
            drain_seconds: 0,
            www: WwwConfig::default(),
        }
    }
}

impl ApiConfig {
    pub(crate) fn stall(&self) -> Duration {
        Duration::from_secs(self.upload_stall_seconds)
    }
}
