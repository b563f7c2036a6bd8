//! Which certificates and keys are taken.

use boltlink_server::{InvalidPair, Tls};

use crate::certificates::Pair;

fn refused(chain: &str, key: &str) -> InvalidPair {
    let wrong = Tls::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
    for line in key.lines().filter(|line| line.len() > 8 && !line.starts_with('-')) {
        assert!(!format!("{wrong} {wrong:?}").contains(line), "{wrong:?}");
    }
    wrong
}

#[test]
fn a_pair_that_cannot_be_used_is_told_by_its_reason() {
    let (pair, other) = (Pair::new(), Pair::new());
    assert_eq!(refused(&pair.chain, &other.key), InvalidPair::Mismatch);
    assert_eq!(refused(&pair.key, &pair.chain), InvalidPair::NoCertificate);
    assert_eq!(refused(&pair.chain, &pair.chain), InvalidPair::NoKey);
    assert_eq!(refused("", ""), InvalidPair::NoCertificate);
    // The server's own certificate has to stand first.
    assert_eq!(refused(&format!("{}{}", other.chain, pair.chain), &pair.key), InvalidPair::Mismatch);
    let old = Pair::expired();
    assert_eq!(refused(&old.chain, &old.key), InvalidPair::Expired("2020-02-01T00:00:00Z".into()));
    let coming = Pair::with(|params| params.not_before = rcgen::date_time_ymd(3000, 1, 1));
    assert_eq!(refused(&coming.chain, &coming.key), InvalidPair::NotYetValid("3000-01-01T00:00:00Z".into()));
}

#[test]
fn damaged_files_are_refused_and_not_repeated() {
    let pair = Pair::new();
    let cut = |text: &str| text[..text.len() / 2].to_owned();
    let altered = |text: &str| text.replacen('\n', "\nAAAA", 1);
    assert_eq!(refused(&cut(&pair.chain), &pair.key), InvalidPair::BrokenCertificate);
    assert_eq!(refused(&altered(&pair.chain), &pair.key), InvalidPair::BrokenCertificate);
    assert_eq!(refused(&pair.chain, &cut(&pair.key)), InvalidPair::BrokenKey);
    assert_eq!(refused(&pair.chain, &altered(&pair.key)), InvalidPair::BrokenKey);
    let encrypted = pair.key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    assert_eq!(refused(&pair.chain, &encrypted), InvalidPair::EncryptedKey);
    // A line that begins like a section and is none.
    let begun = format!("-----BEGIN {}", pair.key.lines().nth(1).unwrap());
    assert_eq!(refused(&pair.chain, &begun), InvalidPair::BrokenKey);
}

#[test]
fn a_key_may_be_sec1_and_stand_beside_its_certificate() {
    let key = rcgen::KeyPair::generate().unwrap();
    let chain = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
    // PKCS#8 wraps it: of P-256 in 29 bytes that are always the same.
    let sec1 = base64(&key.serialize_der()[29..]);
    let text = format!(
        "{chain}-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n\
         -----BEGIN EC PRIVATE KEY-----\n{sec1}\n-----END EC PRIVATE KEY-----\n"
    );
    Tls::from_pem(text.as_bytes(), text.as_bytes()).unwrap();
}

#[test]
fn what_is_put_in_its_place_has_to_be_right_and_another() {
    let (pair, next) = (Pair::new(), Pair::new());
    let tls = Tls::from_pem(pair.chain.as_bytes(), pair.key.as_bytes()).unwrap();
    assert_eq!(tls.replace(pair.chain.as_bytes(), pair.key.as_bytes()), Ok(false));
    assert_eq!(tls.replace(next.chain.as_bytes(), pair.key.as_bytes()), Err(InvalidPair::Mismatch));
    assert_eq!(tls.replace(next.chain.as_bytes(), next.key.as_bytes()), Ok(true));
    assert!(!format!("{tls:?}").contains("key"));
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let number = (0..3).fold(0_u32, |number, at| number << 8 | u32::from(part.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * at) & 63) as usize];
            text.push(if at > part.len() { '=' } else { char::from(digit) });
        }
    }
    text
}
