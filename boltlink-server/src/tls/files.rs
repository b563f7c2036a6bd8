//! A pair in two files, and what becomes of them while the server runs.

use std::{fmt::Write, io, path::PathBuf, time::Duration};

use tokio_rustls::rustls::{crypto::ring, sign::CertifiedKey};

use super::{
    PairDigest, Tls, digest,
    pair::{self, InvalidPair},
};

/// The PEM files of a certificate chain and of its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificates, the server's own first.
    pub certificate: PathBuf,
    /// The private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// One of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFile {
    /// [`TlsFiles::certificate`]
    Certificate,
    /// [`TlsFiles::key`]
    Key,
}

/// What is wrong with one of the two files.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be used: {wrong}", path.display())]
pub struct UnusableTlsFile {
    /// Which one.
    pub file: TlsFile,
    /// Its path.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub wrong: WrongTlsFile,
}

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WrongTlsFile {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// What stands in it is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidPair),
}

impl TlsFiles {
    /// Reads the pair.
    ///
    /// # Errors
    /// Everything that is wrong with either file.
    pub async fn load(&self) -> Result<Tls, Vec<UnusableTlsFile>> {
        let (chain, key) = self.read().await;
        let (pair, digest) = self.parse(chain, key)?;
        Tls::new(pair, digest).map_err(|wrong| vec![self.invalid(wrong)])
    }

    /// Keeps `tls` at what the files say, for ever, by a look every `interval`. What cannot be used leaves it as it was,
    /// is logged once, and looked at again: files are written one after the other.
    pub async fn follow(&self, tls: Tls, interval: Duration) {
        let mut told = String::new();
        loop {
            tokio::time::sleep(interval).await;
            match self.renew(&tls).await {
                Ok(renewed) => {
                    if renewed {
                        tracing::info!(path = %self.certificate.display(), "the certificate has changed");
                    }
                    told.clear();
                }
                Err(wrong) => {
                    let mut now = String::new();
                    for wrong in wrong {
                        let _ = write!(now, "{wrong}; "); // Writing to a String cannot fail.
                    }
                    if now != told {
                        tracing::error!("{now}the certificate that is served stays as it was");
                        told = now;
                    }
                }
            }
        }
    }

    async fn renew(&self, tls: &Tls) -> Result<bool, Vec<UnusableTlsFile>> {
        let (chain, key) = self.read().await;
        // By content, as not every tool and network disk gives what is new a new time.
        if let (Ok(chain), Ok(key)) = (&chain, &key)
            && tls.has(&digest(chain, key))
        {
            return Ok(false);
        }
        let (pair, digest) = self.parse(chain, key)?;
        tls.put(pair, digest).map_err(|wrong| vec![self.invalid(wrong)])?;
        Ok(true)
    }

    async fn read(&self) -> (io::Result<Vec<u8>>, io::Result<Vec<u8>>) {
        (tokio::fs::read(&self.certificate).await, tokio::fs::read(&self.key).await)
    }

    fn parse(
        &self,
        chain: io::Result<Vec<u8>>,
        key: io::Result<Vec<u8>>,
    ) -> Result<(CertifiedKey, PairDigest), Vec<UnusableTlsFile>> {
        let provider = ring::default_provider();
        let read_chain = chain.map_err(WrongTlsFile::from).and_then(|text| Ok((pair::chain(&text, &provider)?, text)));
        let read_key = key.map_err(WrongTlsFile::from).and_then(|text| Ok((pair::key(&text, &provider)?, text)));
        match (read_chain, read_key) {
            (Ok((chain, chain_text)), Ok((key, key_text))) => {
                let pair = pair::join(chain, key).map_err(|wrong| vec![self.invalid(wrong)])?;
                Ok((pair, digest(&chain_text, &key_text)))
            }
            (chain, key) => {
                let chain = chain.err().map(|wrong| self.unusable(TlsFile::Certificate, wrong));
                let key = key.err().map(|wrong| self.unusable(TlsFile::Key, wrong));
                Err(chain.into_iter().chain(key).collect())
            }
        }
    }

    fn invalid(&self, wrong: InvalidPair) -> UnusableTlsFile {
        let file = if wrong.is_of_key() { TlsFile::Key } else { TlsFile::Certificate };
        self.unusable(file, wrong.into())
    }

    fn unusable(&self, file: TlsFile, wrong: WrongTlsFile) -> UnusableTlsFile {
        let path = match file {
            TlsFile::Certificate => self.certificate.clone(),
            TlsFile::Key => self.key.clone(),
        };
        UnusableTlsFile { file, path, wrong }
    }
}
