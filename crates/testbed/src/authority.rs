//! Certificates for servers on this machine.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::server::give;

/// Files in PEM: a certificate authority, and a certificate by it for `localhost` and 127.0.0.1.
#[derive(Debug)]
pub(crate) struct Authority {
    /// The authority's certificate, which clients trust.
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    /// Readable by the server's user alone, as PostgreSQL demands.
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(folder: &Path) -> Self {
        let (ca, certificate, key) = certificates().expect("certificates can be made");
        let file = |name: &str, content: String| {
            let path = folder.join(name);
            fs::write(&path, content).expect("the server's folder can be written");
            path
        };
        let key = file("server.key", key);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("the file is ours");
        give(&key);
        Self { ca: file("ca.pem", ca), certificate: file("server.pem", certificate), key }
    }
}

fn certificates() -> Result<(String, String, String), rcgen::Error> {
    let mut of_ca = CertificateParams::default();
    of_ca.distinguished_name.push(DnType::CommonName, "docmill's tests");
    of_ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(of_ca, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let server = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?.signed_by(&key, &issuer)?;
    Ok((issuer.pem(), server.pem(), key.serialize_pem()))
}
