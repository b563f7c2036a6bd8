//! Single clicks of one link as stores keep them: the newest by itself, others beside it in few bytes.
//!
//! ```text
//! others = version:u8(1) base:i64le count:varint texts:varint text* click*
//! click  = offset:zigzag(at - base, µs) id:[16] weight:varint fields:u8 field*     (fields as in a batch)
//! ```
//!
//! A row for each click would cost more to write than all else that a click costs.

use std::time::Duration;

use uuid::Uuid;

use super::codec::{Input, put_fields, put_offset, put_text, put_varint};
use crate::{
    id::{ClickId, LinkId},
    sample::Sampled,
    store::RawClick,
    time::Timestamp,
};

const VERSION: u8 = 1;

/// Some single clicks of one link within a [minute](Self::SPAN), to be kept as one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack<'a> {
    /// The newest of them. Its weight is that of all together, so that who knows of no others still has all clicks.
    pub newest: Sampled<'a>,
    /// The others, if there are any.
    pub others: Option<Others>,
}

/// Clicks beside the newest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Others {
    /// When the oldest of them was made.
    pub oldest: Timestamp,
    /// How many there are.
    pub count: usize,
    /// All of them, to be read by [`unpack`](Self::unpack).
    pub packed: Vec<u8>,
}

impl<'a> Pack<'a> {
    /// The most clicks of a pack: who reads one of them reads all.
    pub const MOST: usize = 64;
    /// The longest time between the newest and the oldest: who reads clicks of some time looks so far ahead of it for rows
    /// that reach back into it.
    pub const SPAN: Duration = Duration::from_secs(60);

    /// Packs clicks of one link and hour, newest first, as they are taken.
    pub(crate) fn all_of(clicks: impl Iterator<Item = Sampled<'a>>) -> impl Iterator<Item = Self> {
        let (mut clicks, mut near) = (clicks.peekable(), Vec::new());
        std::iter::from_fn(move || {
            let mut newest = clicks.next()?;
            near.clear();
            while near.len() + 1 < Self::MOST
                && let Some(click) = clicks.next_if(|click| newest.at.since(click.at) <= Self::SPAN)
            {
                near.push(click);
            }
            newest.weight += near.iter().map(|click| click.weight).sum::<u64>();
            let others_of = |oldest: &Sampled<'_>| {
                let packed = pack(&near, newest.at);
                Others { oldest: oldest.at, count: near.len(), packed }
            };
            Some(Self { others: near.last().map(others_of), newest })
        })
    }

    /// How many clicks it has.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.others.as_ref().map_or(0, |others| others.count)
    }
}

impl Others {
    /// Reads what is [packed](Self::packed), newest first. `None` if nobody of ours wrote that.
    #[must_use]
    pub fn unpack(packed: &[u8]) -> Option<Vec<RawClick>> {
        let mut input = Input(packed);
        if input.array()? != [VERSION] {
            return None;
        }
        let base = Timestamp::from_micros(i64::from_le_bytes(input.array()?))?;
        let count = usize::try_from(input.varint()?).ok()?;
        let texts = input.texts()?;
        // Whoever made up the number gets no memory for it.
        let mut clicks = Vec::with_capacity(count.min(Pack::MOST));
        for _ in 0..count {
            let at = input.offset(base)?;
            let id = ClickId::from_uuid(Uuid::from_bytes(input.array()?));
            let weight = input.varint()?;
            // Which link is no matter here.
            let entry = input.fields(LinkId::from_uuid(Uuid::nil()), at)?;
            if entry.texts.into_iter().flatten().any(|text| text >= texts.len()) {
                return None;
            }
            clicks.push(Sampled { click: entry.click(&texts), id, at, weight }.to_raw());
        }
        input.0.is_empty().then_some(clicks)
    }
}

fn pack(clicks: &[Sampled<'_>], base: Timestamp) -> Vec<u8> {
    let mut texts: Vec<&str> = Vec::new();
    let mut body = Vec::with_capacity(clicks.len() * 56);
    for Sampled { click, id, at, weight } in clicks {
        put_offset(&mut body, *at, base);
        body.extend_from_slice(id.as_uuid().as_bytes());
        put_varint(&mut body, *weight);
        put_fields(&mut body, click, |text| {
            let known = texts.iter().position(|known| *known == text);
            known.unwrap_or_else(|| {
                texts.push(text);
                texts.len() - 1
            }) as u64
        });
    }
    let bytes = texts.iter().map(|text| text.len() + 2).sum::<usize>();
    let mut packed = Vec::with_capacity(bytes + body.len() + 13);
    packed.push(VERSION);
    packed.extend_from_slice(&base.as_micros().to_le_bytes());
    put_varint(&mut packed, clicks.len() as u64);
    put_varint(&mut packed, texts.len() as u64);
    texts.iter().for_each(|text| put_text(&mut packed, text));
    packed.extend_from_slice(&body);
    packed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::click::{Click, Network, VisitorHash};

    type Parts = (i64, u128, u64, [Option<String>; 3], Option<u128>, Option<std::net::IpAddr>);

    fn parts() -> impl Strategy<Value = Parts> {
        let text = || prop::option::of("[ab]{0,3}");
        (
            // More than one pack's time, and sometimes the same.
            (0..200_i64).prop_map(|second| second * 1_000_000),
            any::<u128>(),
            1..u64::from(u32::MAX),
            [text(), text(), text()],
            any::<Option<u128>>(),
            any::<Option<std::net::IpAddr>>(),
        )
    }

    fn sampled(parts: &Parts) -> Sampled<'_> {
        let (at, id, weight, [referrer, user_agent, language], visitor, address) = parts;
        let at = Timestamp::from_micros(*at).unwrap();
        let click = Click {
            link: LinkId::from_uuid(Uuid::nil()),
            at,
            referrer: referrer.as_deref(),
            user_agent: user_agent.as_deref(),
            language: language.as_deref(),
            visitor: visitor.map(VisitorHash),
            network: address.map(Network::from),
        };
        Sampled { click, id: ClickId::from_uuid(Uuid::from_u128(*id)), at, weight: *weight }
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(all in prop::collection::vec(parts(), 0..150)) {
            let mut clicks: Vec<_> = all.iter().map(sampled).collect();
            clicks.sort_by_key(|click| std::cmp::Reverse((click.at, click.id)));
            let mut read = Vec::new();
            for pack in Pack::all_of(clicks.iter().cloned()) {
                prop_assert!(pack.count() <= Pack::MOST);
                let others = pack.others.map_or_else(Vec::new, |others| {
                    let unpacked = Others::unpack(&others.packed).unwrap();
                    assert_eq!((unpacked.len(), unpacked.last().unwrap().at), (others.count, others.oldest));
                    assert!(pack.newest.at.since(others.oldest) <= Pack::SPAN);
                    unpacked
                });
                let weights: u64 = others.iter().map(|click| click.weight).sum();
                let newest = Sampled { weight: pack.newest.weight - weights, ..pack.newest };
                read.extend(std::iter::once(newest.to_raw()).chain(others));
            }
            prop_assert_eq!(read, clicks.iter().map(Sampled::to_raw).collect::<Vec<_>>());
        }

        #[test]
        fn rubbish_is_refused_without_harm(bytes: Vec<u8>, cut in 0_usize..60) {
            let _ = Others::unpack(&bytes);
            let mut versioned = vec![VERSION];
            versioned.extend(&bytes);
            let _ = Others::unpack(&versioned);
            let all = [(1, 1, 1, [Some("a".into()), None, None], Some(1), None), (0, 1, 1, [const { None }; 3], None, None)];
            let packed = pack(&all.each_ref().map(sampled), Timestamp::EPOCH);
            prop_assert_eq!(Others::unpack(&packed[..cut.min(packed.len() - 1)]), None);
        }
    }

    #[test]
    fn version_1_stays_readable() {
        let click = (1_000, 7, 3, [None, Some("x".into()), None], None, Some([192, 0, 2, 1].into()));
        let packed = pack(&[sampled(&click)], Timestamp::from_micros(1_001).unwrap());
        let hex: String = packed.iter().map(|byte| format!("{byte:02x}")).collect();
        let vector = "01e9030000000000000101017801000000000000000000000000000000070312\
                      00c00002";
        assert_eq!(hex, vector);
    }
}
