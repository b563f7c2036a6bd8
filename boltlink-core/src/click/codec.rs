//! The encoding of a batch, version 1.
//!
//! ```text
//! batch   = version:u8(1) producer:[16] sequence:varint count:varint base:i64le click*
//! click   = link:[16] offset:zigzag(at - base, µs) fields:u8 field*
//! field   = 1 referrer:text | 2 user agent:text | 4 language:text
//!         | 8 visitor:u128le | 16 IPv4 network:[3] | 32 IPv6 network:[6]     (in this order)
//! text    = length:varint utf8:[length]
//! ```

use bytes::Bytes;
use uuid::Uuid;

use super::{BatchId, Click, ClickBatch, Network, VisitorHash};
use crate::{
    id::{LinkId, ProducerId},
    time::Timestamp,
};

const VERSION: u8 = 1;
const REFERRER: u8 = 1;
const USER_AGENT: u8 = 2;
const LANGUAGE: u8 = 4;
const VISITOR: u8 = 8;
const NETWORK_V4: u8 = 16;
const NETWORK_V6: u8 = 32;

/// Why bytes are no batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Another release wrote it: keep it until a binary that knows the version reads it.
    #[error("the batch has encoding version {0}, which this release does not know")]
    UnknownVersion(u8),
    /// No release of ours wrote it like that.
    #[error("the bytes are no batch of clicks")]
    Malformed,
}

pub(super) fn encode<'a>(id: BatchId, clicks: impl IntoIterator<Item = Click<'a>>) -> ClickBatch {
    let clicks = clicks.into_iter();
    let mut body = Vec::with_capacity(clicks.size_hint().0 * 128);
    let mut base = None;
    let mut len = 0;
    for click in clicks {
        let base = *base.get_or_insert(click.at);
        put_click(&mut body, &click, base);
        len += 1;
    }
    let base = base.unwrap_or(Timestamp::EPOCH);

    let mut encoded = Vec::with_capacity(body.len() + 45);
    encoded.push(VERSION);
    encoded.extend_from_slice(id.producer.as_uuid().as_bytes());
    put_varint(&mut encoded, id.sequence);
    put_varint(&mut encoded, len as u64);
    encoded.extend_from_slice(&base.as_micros().to_le_bytes());
    let start = encoded.len();
    encoded.extend_from_slice(&body);
    ClickBatch { id, len, encoded: encoded.into(), body: start, base, first: 0 }
}

pub(super) fn decode(encoded: Bytes) -> Result<ClickBatch, DecodeError> {
    match encoded.first() {
        Some(&VERSION) => {}
        Some(&version) if version != 0 => return Err(DecodeError::UnknownVersion(version)),
        _ => return Err(DecodeError::Malformed),
    }
    check(encoded).ok_or(DecodeError::Malformed)
}

/// Reads the whole batch once, so that later walks need not.
fn check(encoded: Bytes) -> Option<ClickBatch> {
    let mut input = Input(encoded.get(1..)?);
    let producer = ProducerId::from_uuid(Uuid::from_bytes(input.array()?));
    let id = BatchId { producer, sequence: input.varint()? };
    let len = usize::try_from(input.varint()?).ok()?;
    let base = Timestamp::from_micros(i64::from_le_bytes(input.array()?))?;
    let body = encoded.len() - input.0.len();
    for _ in 0..len {
        input.click(base)?;
    }
    input.0.is_empty().then(|| ClickBatch { id, len, body, base, encoded: encoded.clone(), first: 0 })
}

/// Walks the clicks of a batch that was checked.
pub(super) struct Clicks<'a> {
    input: Input<'a>,
    base: Timestamp,
    left: usize,
}

impl<'a> Clicks<'a> {
    pub(super) const fn new(body: &'a [u8], base: Timestamp, len: usize) -> Self {
        Self { input: Input(body), base, left: len }
    }
}

impl<'a> Iterator for Clicks<'a> {
    type Item = Click<'a>;

    fn next(&mut self) -> Option<Click<'a>> {
        self.left = self.left.checked_sub(1)?;
        self.input.click(self.base)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

fn put_click(out: &mut Vec<u8>, click: &Click<'_>, base: Timestamp) {
    out.extend_from_slice(click.link.as_uuid().as_bytes());
    let offset = click.at.as_micros() - base.as_micros();
    put_varint(out, ((offset << 1) ^ (offset >> 63)).cast_unsigned());
    let at = out.len();
    out.push(0);
    let mut fields = 0;
    for (field, text) in [(REFERRER, click.referrer), (USER_AGENT, click.user_agent), (LANGUAGE, click.language)] {
        if let Some(text) = text {
            fields |= field;
            let text = &text[..text.floor_char_boundary(Click::MAX_TEXT)];
            put_varint(out, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
    }
    if let Some(VisitorHash(hash)) = click.visitor {
        fields |= VISITOR;
        out.extend_from_slice(&hash.to_le_bytes());
    }
    match click.network {
        None => {}
        Some(Network::V4(prefix)) => {
            fields |= NETWORK_V4;
            out.extend_from_slice(&prefix);
        }
        Some(Network::V6(prefix)) => {
            fields |= NETWORK_V6;
            out.extend_from_slice(&prefix);
        }
    }
    out[at] = fields;
}

/// LEB128.
fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// What is left to read. Every reader answers `None` at the end or at nonsense.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = usize::try_from(self.varint()?).ok().filter(|len| *len <= Click::MAX_TEXT)?;
        str::from_utf8(self.take(len)?).ok()
    }

    fn click(&mut self, base: Timestamp) -> Option<Click<'a>> {
        let link = LinkId::from_uuid(Uuid::from_bytes(self.array()?));
        let zigzag = self.varint()?;
        let offset = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
        let mut click = Click::bare(link, Timestamp::from_micros(base.as_micros().checked_add(offset)?)?);
        let [fields] = self.array()?;
        if fields >= 64 || fields & (NETWORK_V4 | NETWORK_V6) == NETWORK_V4 | NETWORK_V6 {
            return None;
        }
        for (field, text) in
            [(REFERRER, &mut click.referrer), (USER_AGENT, &mut click.user_agent), (LANGUAGE, &mut click.language)]
        {
            if fields & field != 0 {
                *text = Some(self.text()?);
            }
        }
        if fields & VISITOR != 0 {
            click.visitor = Some(VisitorHash(u128::from_le_bytes(self.array()?)));
        }
        if fields & NETWORK_V4 != 0 {
            click.network = Some(Network::V4(self.array()?));
        } else if fields & NETWORK_V6 != 0 {
            click.network = Some(Network::V6(self.array()?));
        }
        Some(click)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn producer() -> ProducerId {
        "019ab2c4-6f1e-7cc3-98c4-dc0c0c07398f".parse().unwrap()
    }

    #[test]
    fn version_1_stays_readable() {
        let link = "019ab2c4-6f1e-7cc3-98c4-dc0c0c073990".parse().unwrap();
        let click = Click {
            referrer: Some("https://a.example/"),
            language: Some("de"),
            visitor: Some(VisitorHash(7)),
            network: Some(Network::V4([192, 0, 2])),
            ..Click::bare(link, Timestamp::from_micros(1_767_225_600_000_000).unwrap())
        };
        let batch = ClickBatch::new(BatchId { producer: producer(), sequence: 300 }, [click]);
        let vector = "01019ab2c46f1e7cc398c4dc0c0c07398fac02010040204648470600019ab2c46f1e7cc398c4dc0c0c073990001d\
                      1268747470733a2f2f612e6578616d706c652f02646507000000000000000000000000000000c00002";
        let hex: String = batch.encoded().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, vector);
    }

    type Parts = (u128, i64, [Option<String>; 3], Option<u128>, Option<std::net::IpAddr>);

    fn parts() -> impl Strategy<Value = Parts> {
        let text = || prop::option::of(".{0,20}");
        (
            any::<u128>(),
            0..4_000_000_000_000_000_i64,
            [text(), text(), text()],
            any::<Option<u128>>(),
            any::<Option<std::net::IpAddr>>(),
        )
    }

    fn click(parts: &Parts) -> Click<'_> {
        let (link, at, [referrer, user_agent, language], visitor, address) = parts;
        Click {
            link: LinkId::from_uuid(Uuid::from_u128(*link)),
            at: Timestamp::from_micros(*at).unwrap(),
            referrer: referrer.as_deref(),
            user_agent: user_agent.as_deref(),
            language: language.as_deref(),
            visitor: visitor.map(VisitorHash),
            network: address.map(Network::from),
        }
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(all in prop::collection::vec(parts(), 0..20), sequence: u64) {
            let id = BatchId { producer: producer(), sequence };
            let batch = ClickBatch::new(id, all.iter().map(click));
            let read = ClickBatch::decode(batch.encoded().clone()).unwrap();
            prop_assert_eq!(&read, &batch);
            prop_assert_eq!(read.clicks().collect::<Vec<_>>(), all.iter().map(click).collect::<Vec<_>>());
        }

        #[test]
        fn rubbish_is_refused_without_harm(bytes: Vec<u8>, cut in 0_usize..100) {
            let _ = ClickBatch::decode(bytes.clone().into());
            let mut versioned = vec![VERSION];
            versioned.extend(&bytes);
            let _ = ClickBatch::decode(versioned.into());
            let batch = ClickBatch::new(
                BatchId { producer: producer(), sequence: 1 },
                [Click { referrer: Some("https://a.example/a/long/path"), ..Click::bare(LinkId::from_uuid(Uuid::nil()), Timestamp::EPOCH) }],
            );
            let short = batch.encoded().slice(..cut.min(batch.encoded().len() - 1));
            prop_assert_eq!(ClickBatch::decode(short), Err(DecodeError::Malformed));
        }
    }
}
