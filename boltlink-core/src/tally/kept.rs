//! Single clicks that are to be kept, in as few pieces of memory as can be.

use crate::{
    click::{Click, ClickBatch, Network, VisitorHash},
    id::{ClickId, LinkId},
    sample::Sampled,
    time::Timestamp,
};

/// Clicks with their texts in one piece.
#[derive(Debug, Default)]
pub(super) struct Kept {
    clicks: Vec<KeptClick>,
    texts: String,
}

#[derive(Debug)]
struct KeptClick {
    link: LinkId,
    made_at: Timestamp,
    at: Timestamp,
    id: ClickId,
    weight: u64,
    visitor: Option<VisitorHash>,
    network: Option<Network>,
    /// Where its texts begin, and the length of each.
    start: usize,
    lengths: [Option<u16>; 3],
}

impl Kept {
    /// Keeps click number `index` of a batch, as of `at`, and says which one it is here.
    pub(super) fn push(&mut self, batch: &ClickBatch, index: usize, click: &Click<'_>, at: Timestamp) -> u32 {
        let start = self.texts.len();
        let lengths = [click.referrer, click.user_agent, click.language].map(|text| {
            let text = text?;
            self.texts.push_str(text);
            // No longer than `Click::MAX_TEXT`.
            Some(text.len() as u16)
        });
        self.clicks.push(KeptClick {
            link: click.link,
            made_at: click.at,
            at,
            id: batch.click_id(index, at),
            weight: 0,
            visitor: click.visitor,
            network: click.network,
            start,
            lengths,
        });
        (self.clicks.len() - 1) as u32
    }

    /// Lets one of them stand for `clicks`, itself included.
    pub(super) fn set_weight(&mut self, which: u32, clicks: u64) {
        self.clicks[which as usize].weight = clicks;
    }

    /// All of them, in the order in which they came.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = Sampled<'_>> {
        self.clicks.iter().map(|kept| {
            let mut start = kept.start;
            let [referrer, user_agent, language] = kept.lengths.map(|length| {
                let text = &self.texts[start..start + usize::from(length?)];
                start += text.len();
                Some(text)
            });
            let (link, visitor, network) = (kept.link, kept.visitor, kept.network);
            let click = Click { link, at: kept.made_at, referrer, user_agent, language, visitor, network };
            Sampled { click, id: kept.id, at: kept.at, weight: kept.weight }
        })
    }

    /// About how many bytes it takes.
    pub(super) const fn weight(&self) -> usize {
        self.texts.len() + self.clicks.len() * size_of::<KeptClick>()
    }
}
