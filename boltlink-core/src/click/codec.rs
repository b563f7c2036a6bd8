//! The encoding of a batch: version 2, and version 3 where visits of its clicks are traced. (Version 1 was in no release.)
//!
//! ```text
//! batch   = version:u8(2) producer:[16] sequence:varint count:varint base:i64le texts:varint text* click*
//!         | version:u8(3) (the same)* visit*
//! text    = length:varint utf8:[length]
//! click   = link:[16] offset:zigzag(at - base, µs) fields:u8 field*
//! field   = 1 referrer:ref | 2 user agent:ref | 4 language:ref
//!         | 8 visitor:u128le | 16 IPv4 network:[3] | 32 IPv6 network:[6]     (in this order)
//! ref     = which of the texts, from 0:varint
//! visit   = trace:[16] span:[8]
//! ```
//!
//! Visitors' texts are mostly those of other visitors: written once for each batch they take a third of the bytes, and
//! whoever reads one has to do so once.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use bytes::Bytes;
use foldhash::fast::RandomState;
use uuid::Uuid;

use super::{BatchId, Click, ClickBatch, Network, VisitorHash};
use crate::{
    id::{LinkId, ProducerId},
    time::Timestamp,
    trace::TraceContext,
};

const VERSION: u8 = 2;
/// With traced visits: a release that does not know them leaves such a batch to one that does.
const TRACED: u8 = 3;
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

pub(super) fn encode<'a>(
    id: BatchId,
    clicks: impl IntoIterator<Item = Click<'a>>,
    visits: impl IntoIterator<Item = TraceContext>,
) -> ClickBatch {
    let (mut texts, mut body) = (Texts::default(), Vec::new());
    let mut base = None;
    let mut len = 0;
    for click in clicks {
        let base = *base.get_or_insert(click.at);
        put_click(&mut body, &mut texts, &click, base);
        len += 1;
    }
    let base = base.unwrap_or(Timestamp::EPOCH);

    let mut encoded = Vec::with_capacity(texts.bytes.len() + body.len() + 55);
    encoded.push(VERSION);
    encoded.extend_from_slice(id.producer.as_uuid().as_bytes());
    put_varint(&mut encoded, id.sequence);
    put_varint(&mut encoded, len as u64);
    encoded.extend_from_slice(&base.as_micros().to_le_bytes());
    let table = encoded.len();
    put_varint(&mut encoded, texts.numbers.len() as u64);
    encoded.extend_from_slice(&texts.bytes);
    let start = encoded.len();
    encoded.extend_from_slice(&body);
    let traces = encoded.len();
    for TraceContext { trace_id, span_id } in visits.into_iter().take(TraceContext::MOST) {
        encoded[0] = TRACED;
        encoded.extend_from_slice(&trace_id);
        encoded.extend_from_slice(&span_id);
    }
    ClickBatch { id, len, encoded: encoded.into(), table, body: start, base, traces, first: 0 }
}

pub(super) fn decode(encoded: Bytes) -> Result<ClickBatch, DecodeError> {
    match encoded.first() {
        Some(&(VERSION | TRACED)) => {}
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
    let table = encoded.len() - input.0.len();
    let texts = input.texts()?.len();
    let body = encoded.len() - input.0.len();
    for _ in 0..len {
        let entry = input.entry(base)?;
        if entry.texts.into_iter().flatten().any(|text| text >= texts) {
            return None;
        }
    }
    let traces = encoded.len() - input.0.len();
    let most = if encoded[0] == TRACED { TraceContext::MOST } else { 0 };
    let fits = input.0.len().is_multiple_of(TraceContext::LEN) && input.0.len() <= most * TraceContext::LEN;
    fits.then(|| ClickBatch { id, len, table, body, base, traces, encoded: encoded.clone(), first: 0 })
}

/// A click whose texts are those of its batch, by their numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) link: LinkId,
    pub(crate) at: Timestamp,
    /// Referrer, user agent, language.
    pub(crate) texts: [Option<usize>; 3],
    pub(crate) visitor: Option<VisitorHash>,
    pub(crate) network: Option<Network>,
}

impl Entry {
    /// The click, given the texts of its batch.
    pub(crate) fn click<'a>(&self, texts: &[&'a str]) -> Click<'a> {
        let [referrer, user_agent, language] = self.texts.map(|text| texts.get(text?).copied());
        Click {
            link: self.link,
            at: self.at,
            referrer,
            user_agent,
            language,
            visitor: self.visitor,
            network: self.network,
        }
    }
}

impl ClickBatch {
    /// The different texts of its clicks.
    pub(crate) fn texts(&self) -> Vec<&str> {
        Input(&self.encoded[self.table..self.body]).texts().unwrap_or_default()
    }

    /// Its clicks, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> {
        let (mut input, base) = (Input(&self.encoded[self.body..]), self.base);
        (0..self.len).map_while(move |_| input.entry(base))
    }

    /// The visits of its clicks that are traced, or some of them.
    pub(crate) fn traces(&self) -> impl Iterator<Item = TraceContext> {
        let mut input = Input(&self.encoded[self.traces..]);
        std::iter::from_fn(move || Some(TraceContext { trace_id: input.array()?, span_id: input.array()? }))
    }
}

/// Different texts, each with its number.
#[derive(Default)]
struct Texts<'a> {
    numbers: HashMap<&'a str, u64, RandomState>,
    bytes: Vec<u8>,
}

impl<'a> Texts<'a> {
    fn number(&mut self, text: &'a str) -> u64 {
        let next = self.numbers.len() as u64;
        *self.numbers.entry(text).or_insert_with(|| {
            put_text(&mut self.bytes, text);
            next
        })
    }
}

fn put_click<'a>(out: &mut Vec<u8>, texts: &mut Texts<'a>, click: &Click<'a>, base: Timestamp) {
    out.extend_from_slice(click.link.as_uuid().as_bytes());
    put_offset(out, click.at, base);
    put_fields(out, click, |text| texts.number(text));
}

/// What a click has beside its link and its time, with a number for each text.
pub(super) fn put_fields<'a>(out: &mut Vec<u8>, click: &Click<'a>, mut number: impl FnMut(&'a str) -> u64) {
    let at = out.len();
    out.push(0);
    let mut fields = 0;
    for (field, text) in [(REFERRER, click.referrer), (USER_AGENT, click.user_agent), (LANGUAGE, click.language)] {
        if let Some(text) = text {
            fields |= field;
            put_varint(out, number(&text[..text.floor_char_boundary(Click::MAX_TEXT)]));
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

/// A text in a table of texts.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// How far one moment is from another.
pub(super) fn put_offset(out: &mut Vec<u8>, at: Timestamp, base: Timestamp) {
    let offset = at.as_micros() - base.as_micros();
    put_varint(out, ((offset << 1) ^ (offset >> 63)).cast_unsigned());
}

/// LEB128.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
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

    pub(super) fn varint(&mut self) -> Option<u64> {
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

    /// A table of texts.
    pub(super) fn texts(&mut self) -> Option<Vec<&'a str>> {
        let count = usize::try_from(self.varint()?).ok()?;
        // Whoever made up the number gets no memory for it.
        let mut texts = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            texts.push(self.text()?);
        }
        Some(texts)
    }

    fn entry(&mut self, base: Timestamp) -> Option<Entry> {
        let link = LinkId::from_uuid(Uuid::from_bytes(self.array()?));
        let at = self.offset(base)?;
        self.fields(link, at)
    }

    /// What [`put_offset`] wrote.
    pub(super) fn offset(&mut self, base: Timestamp) -> Option<Timestamp> {
        let zigzag = self.varint()?;
        let offset = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
        Timestamp::from_micros(base.as_micros().checked_add(offset)?)
    }

    /// What [`put_fields`] wrote, of a click of this link and time.
    pub(super) fn fields(&mut self, link: LinkId, at: Timestamp) -> Option<Entry> {
        let [fields] = self.array()?;
        if fields >= 64 || fields & (NETWORK_V4 | NETWORK_V6) == NETWORK_V4 | NETWORK_V6 {
            return None;
        }
        let mut entry = Entry { link, at, texts: [None; 3], visitor: None, network: None };
        for (field, text) in [REFERRER, USER_AGENT, LANGUAGE].into_iter().zip(&mut entry.texts) {
            if fields & field != 0 {
                *text = Some(usize::try_from(self.varint()?).ok()?);
            }
        }
        if fields & VISITOR != 0 {
            entry.visitor = Some(VisitorHash(u128::from_le_bytes(self.array()?)));
        }
        if fields & NETWORK_V4 != 0 {
            entry.network = Some(Network::V4(self.array()?));
        } else if fields & NETWORK_V6 != 0 {
            entry.network = Some(Network::V6(self.array()?));
        }
        Some(entry)
    }
}
