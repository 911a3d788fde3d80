// SPDX-License-Identifier: MIT OR Apache-2.0
//! TLS with a server of somebody else's: by the certificates that the system believes, or those of one file (FLD-14).

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use aura_protocol::store::StoreError;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

/// The largest file of certificates, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
const NO_CERTIFICATE: StoreError =
    StoreError::Unreachable("the file of certificates cannot be read, or has none");

/// How to meet a server.
pub(super) fn config(certificate: Option<&Path>) -> Result<ClientConfig, StoreError> {
    let unmade = |_| StoreError::Unreachable("no encrypted connection could be prepared");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unmade)?;
    let Some(path) = certificate else {
        let verifier = Verifier::new(provider).map_err(unmade)?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        return Ok(builder.with_no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&read(path)?) {
        let certificate = certificate.map_err(|_| NO_CERTIFICATE)?;
        roots.add(certificate).map_err(|_| NO_CERTIFICATE)?;
    }
    if roots.is_empty() {
        return Err(NO_CERTIFICATE);
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    let file = File::open(path).map_err(|_| NO_CERTIFICATE)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(|_| NO_CERTIFICATE)?;
    Ok(bytes)
}
