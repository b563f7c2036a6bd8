//! The certificate and key in files, where the server is to speak TLS.

use std::time::Duration;

use boltlink_server::{InvalidPair, Tls, TlsFile, TlsFiles, UnusableTlsFile, WrongTlsFile};

use super::failure::Failure;
use crate::config::{Config, Origin, Problem};

/// How often the files are looked at.
pub(super) const INTERVAL: Duration = Duration::from_secs(2);

/// What the configured files hold.
///
/// # Errors
/// Everything that is wrong with them.
pub(super) async fn load(files: &TlsFiles, config: &Config) -> Result<Tls, Failure> {
    files.load().await.map_err(|wrong| {
        let problems: Vec<_> = wrong.iter().map(|wrong| problem(wrong, config)).collect();
        Failure::of(&problems)
    })
}

fn problem(wrong: &UnusableTlsFile, config: &Config) -> Problem {
    let key = match wrong.file {
        TlsFile::Certificate => "tls_cert",
        TlsFile::Key => "tls_key",
    };
    let origin = config.origins.get(key).cloned().unwrap_or(Origin::Default);
    Problem { key: key.into(), origin, what: wrong.to_string(), fix: fix(wrong).into() }
}

/// How to mend it.
pub(super) const fn fix(wrong: &UnusableTlsFile) -> &'static str {
    match (&wrong.wrong, wrong.file) {
        (WrongTlsFile::Unreadable(_), _) => "give the path of a file that the server may read",
        (WrongTlsFile::Invalid(InvalidPair::Expired(_)), _) => "renew the certificate",
        (WrongTlsFile::Invalid(InvalidPair::NotYetValid(_)), _) => "wait until then, or set this machine's clock right",
        (WrongTlsFile::Invalid(InvalidPair::EncryptedKey), _) => {
            "store it without one: openssl pkey -in encrypted.pem -out key.pem"
        }
        (WrongTlsFile::Invalid(InvalidPair::Mismatch), _) => {
            "give the key that the certificate was made for, and put the server's own certificate first in its file"
        }
        (_, TlsFile::Certificate) => "give the PEM file of the certificate chain, the server's own certificate first",
        (_, TlsFile::Key) => "give the PEM file of the certificate's private key",
    }
}
