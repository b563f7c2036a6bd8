//! Single clicks that are to be kept, in as little memory as can be.

use std::num::NonZero;

use super::text::Texts;
use crate::{
    click::{Click, Entry, Network, VisitorHash},
    id::{ClickId, LinkId},
    sample::Sampled,
    time::Timestamp,
};

/// Clicks, each of which knows the one before it of its row, and their texts once each.
#[derive(Debug, Default)]
pub(super) struct Kept {
    clicks: Vec<KeptClick>,
    texts: Texts,
}

#[derive(Debug)]
struct KeptClick {
    id: ClickId,
    at: Timestamp,
    weight: u64,
    texts: [Option<Number>; 3],
    before: Option<Number>,
    /// As bytes, which need not be aligned.
    visitor: Option<[u8; 16]>,
    network: Option<Network>,
}

/// A tally is stored when it is heavy: the smaller these are, the seldomer that is.
const _: () = assert!(size_of::<KeptClick>() <= 72);

/// The number of a text or click: to have none takes no more room.
#[derive(Debug, Clone, Copy)]
struct Number(NonZero<u32>);

impl Number {
    const fn of(number: u32) -> Self {
        // There is never one that would not fit: so many would take more memory than there is.
        Self(NonZero::<u32>::MIN.saturating_add(number))
    }

    const fn get(self) -> u32 {
        self.0.get() - 1
    }
}

/// The numbers of the texts of one batch, as far as a click that has them is kept.
#[derive(Debug)]
pub(super) struct Quoted<'a> {
    texts: &'a [&'a str],
    numbers: Vec<Option<Number>>,
}

impl<'a> Quoted<'a> {
    pub(super) fn from(texts: &'a [&'a str]) -> Self {
        Self { texts, numbers: vec![None; texts.len()] }
    }
}

impl Kept {
    /// Keeps a click, after the one `before` it of the same row, and says which one it is here.
    pub(super) fn push(
        &mut self,
        entry: &Entry,
        quoted: &mut Quoted<'_>,
        (id, at): (ClickId, Timestamp),
        before: Option<u32>,
    ) -> u32 {
        let texts = entry.texts.map(|which| {
            let which = which?;
            let number = &mut quoted.numbers[which];
            Some(*number.get_or_insert_with(|| Number::of(self.texts.number(quoted.texts[which]))))
        });
        let visitor = entry.visitor.map(|VisitorHash(hash)| hash.to_be_bytes());
        let before = before.map(Number::of);
        self.clicks.push(KeptClick { id, at, weight: 0, texts, before, visitor, network: entry.network });
        (self.clicks.len() - 1) as u32
    }

    /// Lets one of them stand for `clicks`, itself included.
    pub(super) fn set_weight(&mut self, which: u32, clicks: u64) {
        self.clicks[which as usize].weight = clicks;
    }

    pub(super) const fn len(&self) -> usize {
        self.clicks.len()
    }

    /// The clicks of a row, last first, given the last one.
    pub(super) fn back_from(&self, last: Option<u32>) -> impl Iterator<Item = u32> {
        std::iter::successors(last, |which| self.clicks[*which as usize].before.map(Number::get))
    }

    /// What clicks of a row are sorted by.
    pub(super) fn age(&self, which: u32) -> (Timestamp, ClickId) {
        let KeptClick { at, id, .. } = self.clicks[which as usize];
        (at, id)
    }

    /// A click of a row, given the last one, for how many that one stands, and the row's link.
    pub(super) fn click(&self, which: u32, (last, weight): (u32, u64), link: LinkId) -> Sampled<'_> {
        let kept = &self.clicks[which as usize];
        let [referrer, user_agent, language] = kept.texts.map(|text| Some(self.texts.text(text?.get())));
        let visitor = kept.visitor.map(|hash| VisitorHash(u128::from_be_bytes(hash)));
        let click = Click { link, at: kept.at, referrer, user_agent, language, visitor, network: kept.network };
        let weight = if which == last { weight } else { kept.weight };
        Sampled { click, id: kept.id, at: kept.at, weight }
    }

    /// About how many bytes it takes.
    pub(super) const fn weight(&self) -> usize {
        self.texts.weight() + self.clicks.len() * (size_of::<KeptClick>() + size_of::<u32>())
    }

    /// Forgets everything but the memory that it took.
    pub(super) fn clear(&mut self) {
        super::empty(&mut self.clicks);
        self.texts.clear();
    }
}
