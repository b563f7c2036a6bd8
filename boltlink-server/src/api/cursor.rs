//! Where a list goes on, in a form that clients hand back and cannot make up.

use boltlink_core::{MacKey, Shortener, Timestamp, hex};
use uuid::Uuid;

use super::problem::Problem;

/// What a cursor looks like: a time, an id, and a seal over these and the list they belong to.
pub(crate) const PATTERN: &str = "^[0-9a-f]{80}$";
/// How long it is.
const LENGTH: usize = 80;

/// Seals cursors, and opens those that it has sealed, here or in another process on the same database.
#[derive(Clone)]
pub(crate) struct Cursors(MacKey);

impl Cursors {
    pub(crate) fn new(shortener: &Shortener) -> Self {
        Self(shortener.derived_key("cursor"))
    }

    /// The cursor of a place in a list, which is named by all that makes it another list.
    pub(crate) fn seal(&self, list: &str, at: Timestamp, id: &Uuid) -> String {
        let mut place = [0; 24];
        place[..8].copy_from_slice(&at.as_micros().to_be_bytes());
        place[8..].copy_from_slice(id.as_bytes());
        let seal = self.0.tag(&[&place, list.as_bytes()]);
        let mut text = String::with_capacity(LENGTH);
        hex::write(&mut text, &place);
        hex::write(&mut text, &seal[..16]);
        text
    }

    /// The place that a cursor of the same list stands for.
    ///
    /// # Errors
    /// If we have not made it, or for another list.
    pub(crate) fn open(&self, list: &str, text: &str) -> Result<(Timestamp, Uuid), Problem> {
        self.place(list, text)
            .ok_or_else(|| Problem::parameter("cursor", "must be the next_cursor of an earlier page of the same list"))
    }

    fn place(&self, list: &str, text: &str) -> Option<(Timestamp, Uuid)> {
        // One text for each place.
        if text.bytes().any(|digit| digit.is_ascii_uppercase()) {
            return None;
        }
        let bytes = hex::read::<{ LENGTH / 2 }>(text)?;
        let (place, seal) = bytes.split_at(24);
        let seal: &[u8; 16] = seal.try_into().ok()?;
        if !self.0.verify(&[place, list.as_bytes()], seal) {
            return None;
        }
        let (at, id) = place.split_at(8);
        let at = i64::from_be_bytes(at.try_into().ok()?);
        Some((Timestamp::from_micros(at)?, Uuid::from_slice(id).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[tokio::test]
    async fn only_our_own_cursors_of_the_same_list_open() {
        let shortener = Shortener::builder().build().await.unwrap();
        let cursors = Cursors::new(&shortener);
        let (at, id) = (Timestamp::from_micros(-1).unwrap(), Uuid::from_u128(7));
        let text = cursors.seal("list", at, &id);
        assert_eq!(cursors.open("list", &text).ok(), Some((at, id)));
        assert!(cursors.open("other list", &text).is_err());
        for changed in 0..text.len() {
            let mut tampered = text.clone().into_bytes();
            tampered[changed] = if tampered[changed] == b'0' { b'1' } else { b'0' };
            assert!(cursors.open("list", str::from_utf8(&tampered).unwrap()).is_err(), "{changed}");
        }
        let (capitals, signed) = (text.to_uppercase(), text.replacen("07", "+7", 1));
        assert!(capitals != text && signed != text);
        for bad in ["", "x", &text[1..], &format!("{text}0"), &"ä".repeat(40), &capitals, &signed] {
            assert!(cursors.open("list", bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_as_a_cursor_opens_nothing(text in prop_oneof![any::<String>(), "[0-9a-f]{80}"]) {
            let cursors = Cursors(MacKey::new(&[7; 32]));
            prop_assert!(cursors.open("list", &text).is_err());
        }

        #[test]
        fn every_place_survives_its_cursor(micros in -1_000_000_000_000_i64..1_000_000_000_000, id: u128, list: String) {
            let cursors = Cursors(MacKey::new(&[7; 32]));
            let (at, id) = (Timestamp::from_micros(micros).unwrap(), Uuid::from_u128(id));
            prop_assert_eq!(cursors.open(&list, &cursors.seal(&list, at, &id)).ok(), Some((at, id)));
            prop_assert!(cursors.open(&(list.clone() + "x"), &cursors.seal(&list, at, &id)).is_err());
        }
    }
}
