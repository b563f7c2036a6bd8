//! TLS, where it ends at the server itself: a certificate and its key, and how others take their place while it runs.

mod files;
mod pair;

use std::{fmt, sync::Arc};

use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::{
    Accept, TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring::{self, Ticketer},
        sign::{CertifiedKey, SingleCertAndKey},
    },
};

pub use self::{
    files::{TlsFile, TlsFiles, UnusableTlsFile, WrongTlsFile},
    pair::InvalidPair,
};

/// The certificate and key with which a server speaks TLS 1.2 and 1.3, for HTTP/2 and HTTP/1.1 (ALPN).
///
/// Clones share the pair: what [`replace`](Self::replace) puts in its place holds, for all of them, from the next
/// connection on. Connections that are there keep theirs.
///
/// ```no_run
/// # fn tls() -> Result<boltlink_server::ServerOptions, Box<dyn std::error::Error>> {
/// use boltlink_server::{ServerOptions, Tls};
///
/// let tls = Tls::from_pem(&std::fs::read("chain.pem")?, &std::fs::read("key.pem")?)?;
/// let options = ServerOptions { tls: Some(tls.clone()), ..ServerOptions::default() };
/// # Ok(options)
/// # }
/// ```
///
/// [`TlsFiles`] reads the pair from files, and follows them.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<Current>>);

struct Current {
    config: Arc<ServerConfig>,
    /// Of the PEM that it was made of.
    digest: PairDigest,
}

type PairDigest = [u8; 32];

impl Tls {
    /// With the certificates in `chain`, the server's own first, and the private `key` of that one (PKCS#8, PKCS#1 or
    /// SEC1), both in PEM.
    ///
    /// # Errors
    /// If they cannot be used, or not now.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, InvalidPair> {
        Self::new(joined(chain, key)?, digest(chain, key))
    }

    /// Serves another pair to those who come from now on, and says whether it was another one. An error leaves the
    /// old one as it was.
    ///
    /// # Errors
    /// If the new pair cannot be used, or not now.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<bool, InvalidPair> {
        let digest = digest(chain, key);
        if self.has(&digest) {
            return Ok(false);
        }
        self.put(joined(chain, key)?, digest)?;
        Ok(true)
    }

    fn new(pair: CertifiedKey, digest: PairDigest) -> Result<Self, InvalidPair> {
        Ok(Self(Arc::new(RwLock::new(Current { config: config(pair)?, digest }))))
    }

    fn has(&self, digest: &PairDigest) -> bool {
        self.0.read().digest == *digest
    }

    fn put(&self, pair: CertifiedKey, digest: PairDigest) -> Result<(), InvalidPair> {
        let config = config(pair)?;
        *self.0.write() = Current { config, digest };
        Ok(())
    }

    /// The handshake of a new connection, with the pair of this moment.
    pub(crate) fn accept(&self, stream: TcpStream) -> Accept<TcpStream> {
        TlsAcceptor::from(self.0.read().config.clone()).accept(stream)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

fn joined(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, InvalidPair> {
    let provider = ring::default_provider();
    pair::join(pair::chain(chain, &provider)?, pair::key(key, &provider)?)
}

fn digest(chain: &[u8], key: &[u8]) -> PairDigest {
    let mut hash = Sha256::new();
    // The length keeps what moves from one file to the other apart.
    hash.update((chain.len() as u64).to_le_bytes());
    hash.update(chain);
    hash.update(key);
    hash.finalize().into()
}

/// A whole configuration for each pair, so that the tickets of one resume nothing under another.
fn config(pair: CertifiedKey) -> Result<Arc<ServerConfig>, InvalidPair> {
    let failed = |error: tokio_rustls::rustls::Error| InvalidPair::Setup(error.to_string());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    // Resumes without a table of sessions, whose size clients would decide.
    config.ticketer = Ticketer::new().map_err(failed)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
