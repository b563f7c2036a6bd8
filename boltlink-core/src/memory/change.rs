//! The log of changes.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;

use super::Database;
use crate::{
    error::StoreError,
    store::{Change, ChangeCursor, ChangeLog, Changes},
    time::Timestamp,
};

/// The changes made to the other stores of the same [`Memory`](super::Memory).
#[derive(Debug, Clone)]
pub struct MemoryChanges(pub(super) Arc<Database>);

#[async_trait]
impl ChangeLog for MemoryChanges {
    async fn head(&self) -> Result<ChangeCursor, StoreError> {
        Ok(ChangeCursor(self.0.tables.read().changes.head()))
    }

    async fn since(&self, cursor: ChangeCursor, limit: u32) -> Result<Changes, StoreError> {
        Ok(self.0.tables.read().changes.since(cursor.0, limit))
    }

    async fn trim(&self, before: Timestamp) -> Result<(), StoreError> {
        self.0.tables.write().changes.trim(before);
        Ok(())
    }
}

/// So many are kept if nobody trims.
const CAPACITY: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct ChangeTable {
    /// Changes dropped so far: the cursor of the oldest one kept.
    dropped: u64,
    kept: VecDeque<(Timestamp, Change)>,
}

impl ChangeTable {
    pub(super) fn push(&mut self, at: Timestamp, change: Change) {
        if self.kept.len() >= CAPACITY {
            self.drop_oldest();
        }
        self.kept.push_back((at, change));
    }

    fn head(&self) -> u64 {
        self.dropped + self.kept.len() as u64
    }

    fn since(&self, cursor: u64, limit: u32) -> Changes {
        let next = ChangeCursor(self.head());
        // A cursor ahead of the log belongs to an earlier life of it.
        let known = cursor.checked_sub(self.dropped).and_then(|skip| usize::try_from(skip).ok());
        match known.filter(|skip| *skip <= self.kept.len()) {
            Some(skip) if self.kept.len() - skip <= limit as usize => {
                let changes = self.kept.range(skip..).map(|(_, change)| change.clone()).collect();
                Changes::Some { changes, next }
            }
            _ => Changes::Everything { next },
        }
    }

    fn trim(&mut self, before: Timestamp) {
        while self.kept.front().is_some_and(|(at, _)| *at < before) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if self.kept.pop_front().is_some() {
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(n: u64) -> Change {
        Change::Link(crate::Domain::default_domain(), format!("s{n}").parse().unwrap())
    }

    fn table(n: u64) -> ChangeTable {
        let mut table = ChangeTable::default();
        for i in 0..n {
            table.push(Timestamp::from_micros(i.cast_signed()).unwrap(), change(i));
        }
        table
    }

    #[test]
    fn tells_what_came_after_a_cursor_or_everything() {
        let log = table(10);
        let next = ChangeCursor(10);
        assert_eq!(log.since(8, 2), Changes::Some { changes: vec![change(8), change(9)], next });
        assert_eq!(log.since(10, 0), Changes::Some { changes: vec![], next });
        assert_eq!(log.since(7, 2), Changes::Everything { next });
        assert_eq!(log.since(11, 2), Changes::Everything { next });
    }

    #[test]
    fn forgets_by_age_and_by_number() {
        let mut log = table(10);
        log.trim(Timestamp::from_micros(4).unwrap());
        let next = ChangeCursor(10);
        assert_eq!(log.since(3, 100), Changes::Everything { next });
        assert!(matches!(log.since(4, 100), Changes::Some { changes, .. } if changes.len() == 6));

        let full = table(CAPACITY as u64 + 5);
        assert!(matches!(full.since(4, u32::MAX), Changes::Everything { .. }));
        assert!(matches!(full.since(5, u32::MAX), Changes::Some { changes, .. } if changes.len() == CAPACITY));
    }
}
