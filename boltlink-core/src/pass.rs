//! What shows that a visitor knows the password of a link.

use std::{fmt, time::Duration};

use crate::{hex, id::LinkId, mac::MacKey, password::PasswordHash, time::Timestamp};

/// Opens one link with a password for [`LIFETIME`](Self::LIFETIME), or until the password is another; for the
/// visitor's browser to keep. Nothing is kept of it here. `Debug` does not show it.
///
/// Sixteen hexadecimal digits say until when (microseconds since 1970), a dot and sixty-four more are an HMAC-SHA-256 of
/// that, the link and the hash of its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Pass(String);

impl Pass {
    /// How long it opens the link.
    pub const LIFETIME: Duration = Duration::from_secs(15 * 60);

    /// A pass of a visitor who has just shown to know the password.
    pub(crate) fn issue(key: &MacKey, link: LinkId, hash: &PasswordHash, now: Timestamp) -> Self {
        let until = now.plus(Self::LIFETIME).as_micros().to_be_bytes();
        let mut text = String::with_capacity(81);
        hex::write(&mut text, &until);
        text.push('.');
        hex::write(&mut text, &key.tag(&parts(&link, hash, &until)));
        Self(text)
    }

    /// Whether a text is a pass that opens the link at `now`. Allocates nothing.
    pub(crate) fn opens(text: &str, key: &MacKey, link: LinkId, hash: &PasswordHash, now: Timestamp) -> bool {
        let opens = || {
            let (until, tag) = text.split_once('.')?;
            let (until, tag) = (hex::read::<8>(until)?, hex::read::<32>(tag)?);
            let good = now.as_micros() < i64::from_be_bytes(until);
            Some(key.verify(&parts(&link, hash, &until), &tag) && good)
        };
        opens().unwrap_or(false)
    }

    /// The text to keep.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pass(…)")
    }
}

fn parts<'a>(link: &'a LinkId, hash: &'a PasswordHash, until: &'a [u8; 8]) -> [&'a [u8]; 3] {
    [until, link.as_uuid().as_bytes(), hash.as_str().as_bytes()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{EntropyExt, SeededEntropy};

    #[test]
    fn a_pass_opens_its_link_for_a_while() {
        let now = Timestamp::from_micros(1_800_000_000_000_000).unwrap();
        let (key, entropy) = (MacKey::new(&[7; 32]), SeededEntropy::new(1));
        let (link, other) = (entropy.link_id(now), entropy.link_id(now));
        let (hash, new) = (PasswordHash::from_stored("a"), PasswordHash::from_stored("b"));
        let pass = Pass::issue(&key, link, &hash, now);
        let text = pass.reveal();
        assert!(Pass::opens(text, &key, link, &hash, now));
        assert!(!Pass::opens(text, &key, other, &hash, now), "another link");
        assert!(!Pass::opens(text, &key, link, &new, now), "another password");
        assert!(!Pass::opens(text, &MacKey::new(&[8; 32]), link, &hash, now), "another service");
        assert!(!Pass::opens(text, &key, link, &hash, now.plus(Pass::LIFETIME)), "over");
        let longer = text.replacen("0006", "0007", 1);
        assert_ne!(longer, text);
        for wrong in ["", ".", "x.y", &text[..80], &longer, &text.replace('.', ""), &format!("{text}0")] {
            assert!(!Pass::opens(wrong, &key, link, &hash, now), "{wrong}");
        }
    }
}
