//! Clicks as requests leave them: copied, nothing parsed.
//!
//! A copy of three short texts costs less than to share them: a header value that is held keeps the connection's read
//! buffer from being used again, so that each request would get memory that no cache has seen.

use std::net::IpAddr;

use uuid::Uuid;

use crate::{
    click::{Click, Input, Network, VisitorKey},
    id::LinkId,
    time::Timestamp,
    visit::Visitor,
};

/// Clicks, one after the other:
///
/// ```text
/// draft = link:[16] at:i64le(µs) address:u8(bytes) [address] (length:u16le text)×3    referrer, user agent, language
/// ```
#[derive(Default)]
pub(super) struct Drafts {
    bytes: Vec<u8>,
    len: usize,
}

impl Drafts {
    /// Adds a click. Allocates nothing, once there have been as many before.
    pub(super) fn push(&mut self, link: LinkId, at: Timestamp, visitor: &Visitor<'_>) {
        let bytes = &mut self.bytes;
        bytes.extend_from_slice(link.as_uuid().as_bytes());
        bytes.extend_from_slice(&at.as_micros().to_le_bytes());
        match visitor.address {
            None => bytes.push(0),
            Some(IpAddr::V4(address)) => {
                bytes.push(4);
                bytes.extend_from_slice(&address.octets());
            }
            Some(IpAddr::V6(address)) => {
                bytes.push(16);
                bytes.extend_from_slice(&address.octets());
            }
        }
        for value in [visitor.referrer, visitor.user_agent, visitor.language] {
            let text = value.unwrap_or_default();
            // No more than is kept, which is less than a u16 has room for.
            let text = &text[..text.len().min(Click::MAX_TEXT)];
            bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
            bytes.extend_from_slice(text);
        }
        self.len += 1;
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.len = 0;
    }

    /// When the first one was.
    pub(super) fn begin(&self) -> Option<Timestamp> {
        read(&mut Input(&self.bytes)).map(|draft| draft.at)
    }

    /// The clicks, with `key` of their day. Here addresses end: what goes on is a hash and a prefix.
    pub(super) fn clicks<'a>(&'a self, key: &'a VisitorKey) -> impl Iterator<Item = Click<'a>> {
        let mut input = Input(&self.bytes);
        std::iter::from_fn(move || read(&mut input)).map(|draft| draft.click(key))
    }
}

/// A click as it lies in the buffer.
struct Draft<'a> {
    link: LinkId,
    at: Timestamp,
    address: Option<IpAddr>,
    texts: [&'a [u8]; 3],
}

impl<'a> Draft<'a> {
    fn click(&self, key: &VisitorKey) -> Click<'a> {
        let [referrer, user_agent, language] = self.texts.map(text);
        Click {
            link: self.link,
            at: self.at,
            referrer,
            user_agent,
            language,
            visitor: self.address.map(|address| key.hash(address)),
            network: self.address.map(Network::from),
        }
    }
}

/// The text of a header, up to its first byte that is not UTF-8.
fn text(bytes: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => bytes.utf8_chunks().next()?.valid(),
    };
    (!text.is_empty()).then_some(text)
}

/// Reads the next draft; `None` at the end.
fn read<'a>(input: &mut Input<'a>) -> Option<Draft<'a>> {
    let link = LinkId::from_uuid(Uuid::from_bytes(input.array()?));
    let at = Timestamp::from_micros(i64::from_le_bytes(input.array()?))?;
    let address = match input.array::<1>()? {
        [4] => Some(IpAddr::from(input.array::<4>()?)),
        [16] => Some(IpAddr::from(input.array::<16>()?)),
        _ => None,
    };
    let mut text = || {
        let len = u16::from_le_bytes(input.array()?);
        input.take(len.into())
    };
    let texts = [text()?, text()?, text()?];
    Some(Draft { link, at, address, texts })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a click must be, said without a buffer.
    fn expected<'a>(link: LinkId, at: Timestamp, visitor: &'a Visitor<'_>, key: &VisitorKey) -> Click<'a> {
        let text = |value: Option<&'a [u8]>| {
            let bytes = value?;
            let valid = bytes[..bytes.len().min(Click::MAX_TEXT)].utf8_chunks().next()?.valid();
            (!valid.is_empty()).then_some(valid)
        };
        Click {
            link,
            at,
            referrer: text(visitor.referrer),
            user_agent: text(visitor.user_agent),
            language: text(visitor.language),
            visitor: visitor.address.map(|address| key.hash(address)),
            network: visitor.address.map(Network::from),
        }
    }

    fn value() -> impl Strategy<Value = Option<Vec<u8>>> {
        let text = prop_oneof![
            "[ -~]{0,40}".prop_map(String::into_bytes),
            "\\PC{0,9}".prop_map(String::into_bytes),
            prop::collection::vec(0x20..0x7f_u8, 1_000..1_100),
            prop::collection::vec(any::<u8>(), 1..9),
        ];
        prop::option::of(text)
    }

    proptest! {
        #[test]
        fn what_was_put_in_comes_out(
            clicks in prop::collection::vec(
                (any::<u128>(), 0..i64::MAX / 1_000_000, any::<Option<IpAddr>>(), value(), value(), value()),
                0..9,
            ),
        ) {
            let key = VisitorKey::of_day(&[7; 32], 3);
            let clicks: Vec<_> = clicks
                .iter()
                .map(|(link, at, address, referrer, user_agent, language)| {
                    let (referrer, user_agent) = (referrer.as_deref(), user_agent.as_deref());
                    let visitor = Visitor { address: *address, referrer, user_agent, language: language.as_deref() };
                    let at = Timestamp::from_micros(*at).unwrap();
                    (LinkId::from_uuid(Uuid::from_u128(*link)), at, visitor)
                })
                .collect();
            let mut drafts = Drafts::default();
            for _ in 0..2 {
                prop_assert!(drafts.len() == 0 && drafts.begin().is_none());
                clicks.iter().for_each(|(link, at, visitor)| drafts.push(*link, *at, visitor));
                let expected: Vec<_> =
                    clicks.iter().map(|(link, at, visitor)| expected(*link, *at, visitor, &key)).collect();
                prop_assert_eq!(drafts.clicks(&key).collect::<Vec<_>>(), expected);
                prop_assert_eq!((drafts.len(), drafts.begin()), (clicks.len(), clicks.first().map(|click| click.1)));
                drafts.clear();
            }
        }
    }
}
