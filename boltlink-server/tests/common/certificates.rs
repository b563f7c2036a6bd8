//! Certificates for tests, and the settings of a client that trusts one of them.

#![allow(dead_code)] // Each test binary uses its part.

use std::{io, net::SocketAddr, sync::Arc};

use rcgen::{CertificateParams, KeyPair};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ALL_VERSIONS, ClientConfig, RootCertStore, SupportedProtocolVersion, crypto::ring, pki_types::CertificateDer,
    },
};

/// A connection to a server of which `client` expects the certificate of `localhost`.
pub(crate) async fn connect(address: SocketAddr, client: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(client)).connect("localhost".try_into().unwrap(), stream).await
}

/// A certificate for `localhost` that signs itself, and its key, in PEM.
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) certificate: CertificateDer<'static>,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.self_signed(&key).unwrap();
        Self { chain: certificate.pem(), key: key.serialize_pem(), certificate: certificate.der().clone() }
    }

    /// One whose time is over.
    pub(crate) fn expired() -> Self {
        Self::with(|params| params.not_after = rcgen::date_time_ymd(2020, 2, 1))
    }

    /// A client that trusts it, and nobody else.
    pub(crate) fn client(&self) -> ClientConfig {
        self.client_of(ALL_VERSIONS)
    }

    /// The same, of these versions of TLS.
    pub(crate) fn client_of(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}
