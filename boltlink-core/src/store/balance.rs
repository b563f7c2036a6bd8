//! Double entry: what is stored of a link's clicks, twice.

use crate::id::LinkId;

/// What is stored of a link's clicks by the two consumers, which at rest agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// The link.
    pub link: LinkId,
    /// Its total.
    pub total: u64,
    /// What of the total no rollup shows: clicks from before an import. Negative for a link that came back with fewer
    /// clicks than it had when it was deleted.
    pub opening: i64,
    /// The sum of its rollups.
    pub rollups: u64,
}

impl Balance {
    /// Clicks that are in the total and not in the rollups; negative for the contrary. 0 at rest.
    #[must_use]
    pub fn difference(&self) -> i64 {
        let signed = |clicks: u64| i64::try_from(clicks).unwrap_or(i64::MAX);
        signed(self.total).saturating_sub(self.opening).saturating_sub(signed(self.rollups))
    }
}
