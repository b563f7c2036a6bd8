//! Tags that only we can make.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A key of HMAC-SHA-256 (RFC 2104), for one purpose. Cloning shares nothing; `Debug` does not show it.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// The key of these bytes.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        // HMAC fills keys up to a block with zeros.
        let mut block = [0; 64];
        block[..32].copy_from_slice(key);
        Self(Hmac::new(&block.into()))
    }

    /// The tag of the parts, one after the other: only the last one may have any length, or two lists of parts had one
    /// tag. Allocates nothing.
    #[must_use]
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.over(parts).finalize().into_bytes().into()
    }

    /// Whether a tag, or its first `N` bytes (16 at least), is that of the parts. Takes as long whatever is wrong.
    #[must_use]
    pub fn verify<const N: usize>(&self, parts: &[&[u8]], tag: &[u8; N]) -> bool {
        const { assert!(N >= 16 && N <= 32, "a tag has 16 to 32 bytes") }
        self.over(parts).verify_truncated_left(tag).is_ok()
    }

    fn over(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn makes_the_tags_that_others_make() {
        // printf 'what do ya want for nothing?' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0b0b…0b (32 bytes)
        let key = MacKey::new(&[0x0b; 32]);
        let mut tag = String::new();
        hex::write(&mut tag, &key.tag(&[b"what do ya ", b"want for nothing?"]));
        assert_eq!(tag, "c3f2649c34ea24e4d62a2c7e868bbea0233c9d4c2cc300794db76aa18d6822d8");
    }

    #[test]
    fn knows_its_tags_and_no_others() {
        let key = MacKey::new(&[7; 32]);
        let tag = key.tag(&[b"a", b"b"]);
        assert!(key.verify(&[b"ab"], &tag));
        let short: [u8; 16] = tag[..16].try_into().unwrap();
        assert!(key.verify(&[b"ab"], &short));
        assert!(!key.verify(&[b"ac"], &tag) && !MacKey::new(&[8; 32]).verify(&[b"ab"], &short));
    }
}
