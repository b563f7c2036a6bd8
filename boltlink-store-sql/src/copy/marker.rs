//! What stands in a target while a copy into it is not done: of which database, and how far it is.

use boltlink_core::{EntropyExt, StoreError, SystemEntropy, Timestamp};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde_json::{Value as Json, json};

use super::{
    CopyError, Pair, Target,
    datum::{Datum, Row},
    table::Table,
};
use crate::{Error, meta};

/// Names the source and the run that writes, from when a copy into this database is begun until it has ended well.
pub(crate) const KEY: &str = "copy";
/// Names a database for good.
const IDENTITY_KEY: &str = "database_id";

/// What a source is known by; given to it at the first copy.
pub(super) async fn identity(db: &impl ConnectionTrait) -> Result<String, Error> {
    meta::read(db, IDENTITY_KEY).await?.ok_or_else(|| StoreError::backend("the source has no identity").into())
}

/// Gives a database the name that it is known by as a source, if it has none. For engine crates, before they make a
/// [`Source`](super::Source).
///
/// # Errors
/// The driver's.
pub async fn identify(db: &impl ConnectionTrait) -> Result<(), Error> {
    let sql = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
    crate::execute(db, sql, [IDENTITY_KEY.into(), unique().into()]).await?;
    Ok(())
}

/// A name that nobody else has.
fn unique() -> String {
    SystemEntropy.producer_id(Timestamp::EPOCH).to_string()
}

/// How far one table is.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The key of the last row that was copied.
    pub(super) after: Option<Vec<Datum>>,
    pub(super) rows: u64,
    pub(super) done: bool,
}

/// The right of one run to write to a target.
pub(super) struct Marker {
    text: String,
}

impl Marker {
    /// Takes the target for a copy of the database `origin`, and says whether an earlier run had begun.
    pub(super) async fn take(target: &Target, tables: &[Pair], origin: &str) -> Result<(Self, bool), CopyError> {
        let marker = Self { text: json!({ "source": origin, "run": unique() }).to_string() };
        let resumed = within(target, async |db| marker.take_within(db, tables, origin).await).await?;
        Ok((marker, resumed))
    }

    async fn take_within(
        &self,
        db: &DatabaseTransaction,
        tables: &[Pair],
        origin: &str,
    ) -> Result<Result<bool, CopyError>, Error> {
        let resumed = match meta::read(db, KEY).await? {
            Some(text) => {
                let earlier: Json = text.parse().unwrap_or_default();
                if earlier["source"] != origin {
                    return Ok(Err(CopyError::OtherSource));
                }
                true
            }
            None => {
                for table in tables {
                    if !table.written.page(db, None, 1).await?.is_empty() {
                        return Ok(Err(CopyError::NotEmpty { table: table.written.name }));
                    }
                }
                false
            }
        };
        meta::write(db, KEY, &self.text).await?;
        Ok(Ok(resumed))
    }

    /// How far the table is.
    pub(super) async fn place(&self, target: &Target, table: &str) -> Result<Place, CopyError> {
        let read = meta::read(&target.db, &place_key(table)).await.map_err(|error| target.failed(error))?;
        let place = read.and_then(|text| place_from(&text.parse().ok()?));
        Ok(place.unwrap_or_default())
    }

    /// Adds a page to the table, with places for clicks of these `days`, and notes how far it is by then.
    pub(super) async fn store(
        &self,
        target: &Target,
        table: &Table,
        page: &[Row],
        place: &Place,
        days: &[i64],
    ) -> Result<(), CopyError> {
        let after = place.after.iter().flatten().map(Datum::to_json).collect::<Vec<_>>();
        let text = json!({ "after": after, "rows": place.rows, "done": place.done }).to_string();
        self.within(target, async |db| {
            if let Some(make_day) = target.make_day {
                for day in days {
                    make_day(db, *day).await?;
                }
            }
            table.insert(db, page).await?;
            meta::write(db, &place_key(table.name), &text).await
        })
        .await
    }

    /// Empties a table, to be copied from its beginning by the next run.
    pub(super) async fn start_over(&self, target: &Target, table: &Table) -> Result<(), CopyError> {
        self.within(target, async |db| {
            table.clear(db).await?;
            crate::execute(db, "DELETE FROM meta WHERE key = $1", [place_key(table.name).into()]).await?;
            Ok(())
        })
        .await
    }

    /// Lets others open the target.
    pub(super) async fn remove(&self, target: &Target) -> Result<(), CopyError> {
        self.within(target, async |db| {
            let sql = "DELETE FROM meta WHERE key = $1 OR substr(key, 1, 5) = 'copy:'";
            crate::execute(db, sql, [KEY.into()]).await?;
            Ok(())
        })
        .await
    }

    /// Does `work` in a transaction, if the target is still ours.
    async fn within(
        &self,
        target: &Target,
        work: impl AsyncFnOnce(&DatabaseTransaction) -> Result<(), Error>,
    ) -> Result<(), CopyError> {
        within(target, async |db| {
            // Holds the row until the end of the transaction, so that nobody takes over in the midst of it.
            let sql = "UPDATE meta SET value = value WHERE key = $1 AND value = $2";
            let held = crate::execute(db, sql, [KEY.into(), self.text.as_str().into()]).await?;
            if held.rows_affected() == 0 {
                return Ok(Err(CopyError::TakenOver));
            }
            work(db).await.map(Ok)
        })
        .await
    }
}

/// Does `work` in a transaction, which is committed if it succeeds.
async fn within<T>(
    target: &Target,
    work: impl AsyncFnOnce(&DatabaseTransaction) -> Result<Result<T, CopyError>, Error>,
) -> Result<T, CopyError> {
    let transaction = target.begin().await.map_err(|error| target.failed(error))?;
    let done = work(&transaction).await;
    if matches!(done, Ok(Ok(_))) {
        transaction.commit().await.map_err(|error| target.failed(error.into()))?;
    } else {
        // The first error is the one to tell; what cannot be rolled back is not committed either.
        let _ = transaction.rollback().await;
    }
    done.map_err(|error| target.failed(error))?
}

fn place_key(table: &str) -> String {
    format!("{KEY}:{table}")
}

fn place_from(json: &Json) -> Option<Place> {
    let after: Vec<_> = json["after"].as_array()?.iter().map(Datum::from_json).collect::<Option<_>>()?;
    let after = (!after.is_empty()).then_some(after);
    Some(Place { after, rows: json["rows"].as_u64()?, done: json["done"].as_bool()? })
}
