//! Whether two tables have the same rows.

use sea_orm::ConnectionTrait;
use sha2::{Digest, Sha256};

use super::{FIRST_PAGE, next_size, table::Table};
use crate::Error;

/// What a table comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) rows: u64,
    /// All clicks that it counts.
    pub(super) clicks: Option<i128>,
    /// SHA-256 of its rows in the order of their keys.
    digest: [u8; 32],
}

/// Reads all of a table, and tells `seen` how many rows that were.
pub(super) async fn sum(db: &impl ConnectionTrait, table: &Table, seen: &mut impl FnMut(u64)) -> Result<Sum, Error> {
    let (mut rows, mut clicks, mut digest) = (0, None::<i128>, Sha256::new());
    let (mut after, mut size) = (None, FIRST_PAGE);
    loop {
        let page = table.page(db, after.as_deref(), size).await?;
        for row in &page {
            row.iter().for_each(|datum| datum.digest(&mut digest));
            if let Some(more) = table.clicks_of(row) {
                *clicks.get_or_insert(0) += i128::from(more);
            }
        }
        rows += page.len() as u64;
        seen(rows);
        if page.len() < size {
            return Ok(Sum { rows, clicks, digest: digest.finalize().into() });
        }
        after = page.last().map(|row| table.key_of(row));
        size = next_size(size, &page);
    }
}
