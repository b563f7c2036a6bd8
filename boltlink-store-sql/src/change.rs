//! The change log.

use boltlink_core::{
    AccountId, ApiKeyId, Domain, SessionId, Slug, Timestamp,
    store::{Change, ChangeCursor, Changes},
};
use sea_orm::{ConnectionTrait, QueryResult, Value};

use crate::{
    Error,
    row::{Columns, signed, unsigned},
};

const LINK: i16 = 1;
const API_KEY: i16 = 2;
const ACCOUNT: i16 = 3;
const SESSION: i16 = 4;

/// The text that looks for changes after a cursor.
pub const SINCE: &str = "SELECT id, kind, subject FROM change_log WHERE id > $1 ORDER BY id LIMIT $2";

/// The text that finds the newest of the changes to be trimmed.
pub const TRIMMED: &str = "SELECT id FROM change_log WHERE at < $1 ORDER BY at DESC, id DESC LIMIT 1";

/// Writes changes to the log, as part of the transaction that makes them.
///
/// # Errors
/// The driver's.
pub async fn note(db: &impl ConnectionTrait, changes: &[Change], now: Timestamp) -> Result<(), Error> {
    for values in changes.iter().filter_map(|change| values(change, now)) {
        crate::execute(db, "INSERT INTO change_log (kind, subject, at) VALUES ($1, $2, $3)", values).await?;
    }
    Ok(())
}

/// The columns of a change but for its id. `None` for a kind of change that is not kept in a log.
#[must_use]
pub fn values(change: &Change, now: Timestamp) -> Option<[Value; 3]> {
    kept(change).map(|(kind, subject)| [kind.into(), subject.into(), now.as_micros().into()])
}

/// The kind and the subject of a change, as a log keeps them.
#[must_use]
pub fn kept(change: &Change) -> Option<(i16, String)> {
    match change {
        // No host and no slug has a slash.
        Change::Link(domain, slug) => Some((LINK, format!("{domain}/{slug}"))),
        Change::ApiKey(id) => Some((API_KEY, id.to_string())),
        Change::Account(id) => Some((ACCOUNT, id.to_string())),
        Change::Session(id) => Some((SESSION, id.to_string())),
        _ => None,
    }
}

/// See [`ChangeLog::since`](boltlink_core::store::ChangeLog::since), for a log whose ids have no
/// gaps and become visible in their order. `head` is the last id given out, read before.
///
/// # Errors
/// The driver's.
pub async fn since(db: &impl ConnectionTrait, cursor: ChangeCursor, limit: u32, head: u64) -> Result<Changes, Error> {
    if cursor.0 == head {
        return Ok(Changes::Some { changes: Vec::new(), next: cursor });
    }
    let everything = Changes::Everything { next: ChangeCursor(head) };
    if cursor.0 > head || head - cursor.0 > u64::from(limit) {
        return Ok(everything);
    }
    let rows = crate::all(db, SINCE, [signed(cursor.0).into(), i64::from(limit).into()]).await?;
    let mut next = cursor;
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        let id = unsigned(Columns(row).at(0)?);
        if id != next.0 + 1 {
            return Ok(everything);
        }
        next = ChangeCursor(id);
        match read(row, 1) {
            Ok(change) => changes.extend(change),
            // A row that says nothing readable still says that something changed; nobody may miss it.
            Err(_) => return Ok(everything),
        }
    }
    Ok(if next.0 < head { everything } else { Changes::Some { changes, next } })
}

/// Drops what was noted before `before`, and whatever stands further ahead in the log.
///
/// # Errors
/// The driver's.
pub async fn trim(db: &impl ConnectionTrait, before: Timestamp) -> Result<(), Error> {
    if let Some(row) = crate::one(db, TRIMMED, [before.as_micros().into()]).await? {
        let newest: i64 = Columns(&row).at(0)?;
        crate::execute(db, "DELETE FROM change_log WHERE id <= $1", [newest.into()]).await?;
    }
    Ok(())
}

/// Reads a change whose kind is in the column `at`, and its subject in the one after it. `None` for kinds that a newer
/// release writes: this one keeps nothing of theirs.
///
/// # Errors
/// The driver's, or a row that says nothing readable.
pub fn read(row: &QueryResult, at: usize) -> Result<Option<Change>, Error> {
    let columns = Columns(row);
    Ok(match columns.at::<i16>(at)? {
        LINK => Some(columns.text("subject", at + 1).map(|LinkSubject(domain, slug)| Change::Link(domain, slug))?),
        API_KEY => Some(Change::ApiKey(columns.text::<ApiKeyId>("subject", at + 1)?)),
        ACCOUNT => Some(Change::Account(columns.text::<AccountId>("subject", at + 1)?)),
        SESSION => Some(Change::Session(columns.text::<SessionId>("subject", at + 1)?)),
        _ => None,
    })
}

struct LinkSubject(Domain, Slug);

impl std::str::FromStr for LinkSubject {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (domain, slug) = text.split_once('/').ok_or(())?;
        Ok(Self(domain.parse().map_err(|_| ())?, slug.parse().map_err(|_| ())?))
    }
}
