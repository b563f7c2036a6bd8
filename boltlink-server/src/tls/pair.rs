//! A certificate chain and its private key, out of PEM.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use tokio_rustls::rustls::{
    CertificateError, Error, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, PrivateKeyDer, UnixTime,
        pem::{self, PemObject},
    },
    server::ParsedCertificate,
    sign::{CertifiedKey, SigningKey},
};

/// Why a certificate and a key cannot be used. No text of the key is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPair {
    /// The PEM has no certificate in it.
    #[error("no certificate was found: in PEM it begins with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// A certificate is damaged, or none of X.509 version 3.
    #[error("the certificate cannot be read: it is damaged, or none of X.509 version 3")]
    BrokenCertificate,
    /// The certificate is over.
    #[error("the certificate expired at {0}")]
    Expired(String),
    /// The certificate has not begun.
    #[error("the certificate does not hold before {0}")]
    NotYetValid(String),
    /// The PEM has no private key in it.
    #[error(
        "no private key was found: in PEM it begins with -----BEGIN PRIVATE KEY----- (or RSA PRIVATE KEY, EC PRIVATE KEY)"
    )]
    NoKey,
    /// The private key needs a passphrase.
    #[error("the private key is encrypted, and nobody is there to give its passphrase")]
    EncryptedKey,
    /// The private key is damaged, or of a kind that is not supported.
    #[error(
        "the private key cannot be read: it is damaged, or none of RSA (2048 to 4096 bits), P-256, P-384 and Ed25519"
    )]
    BrokenKey,
    /// The private key belongs to another certificate.
    #[error("the private key is not that of the first certificate in the chain")]
    Mismatch,
    /// The machine has no randomness to give.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

impl InvalidPair {
    /// Whether it is the key that is wrong, and not the certificate.
    #[must_use]
    pub const fn is_of_key(&self) -> bool {
        matches!(self, Self::NoKey | Self::EncryptedKey | Self::BrokenKey | Self::Mismatch)
    }
}

/// The chain in a PEM text, the server's own certificate first.
pub(super) fn chain(text: &[u8], provider: &CryptoProvider) -> Result<Vec<CertificateDer<'static>>, InvalidPair> {
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(text).collect();
    let chain = chain.map_err(|_| InvalidPair::BrokenCertificate)?;
    let own = chain.first().ok_or(InvalidPair::NoCertificate)?;
    let parsed = ParsedCertificate::try_from(own).map_err(|_| InvalidPair::BrokenCertificate)?;
    // Who signed it is for clients to judge. Whether its time is right is looked at before that.
    let algorithms = provider.signature_verification_algorithms.all;
    match verify_server_cert_signed_by_trust_anchor(&parsed, &RootCertStore::empty(), &[], UnixTime::now(), algorithms)
    {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Err(InvalidPair::Expired(shown(not_after)))
        }
        Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
            Err(InvalidPair::NotYetValid(shown(not_before)))
        }
        _ => Ok(chain),
    }
}

/// The first private key in a PEM text: PKCS#8, PKCS#1 or SEC1.
pub(super) fn key(text: &[u8], provider: &CryptoProvider) -> Result<Arc<dyn SigningKey>, InvalidPair> {
    // Both forms say so: "BEGIN ENCRYPTED PRIVATE KEY", and "Proc-Type: 4,ENCRYPTED".
    if text.windows(9).any(|window| window == b"ENCRYPTED") {
        return Err(InvalidPair::EncryptedKey);
    }
    // The parser's own error repeats a line of what it read.
    let key = PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        pem::Error::NoItemsFound => InvalidPair::NoKey,
        _ => InvalidPair::BrokenKey,
    })?;
    provider.key_provider.load_private_key(key).map_err(|_| InvalidPair::BrokenKey)
}

/// Puts a chain and its key together.
pub(super) fn join(chain: Vec<CertificateDer<'static>>, key: Arc<dyn SigningKey>) -> Result<CertifiedKey, InvalidPair> {
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        Ok(()) => Ok(pair),
        Err(Error::InconsistentKeys(_)) => Err(InvalidPair::Mismatch),
        Err(_) => Err(InvalidPair::BrokenCertificate),
    }
}

fn shown(time: UnixTime) -> String {
    let time = i64::try_from(time.as_secs()).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or_else(|| "a time out of range".to_owned(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}
