//! The audit log.

use boltlink_core::{
    AccountId, Action, ApiKeyId, AuditEntry, AuditId, Author, SessionId, Timestamp, store::AuditFilter,
};
use sea_orm::{ConnectionTrait, QueryResult, Value};

use crate::{Error, row::Columns};

/// See [`AuditStore::list`](boltlink_core::store::AuditStore::list).
///
/// # Errors
/// The driver's, or a row that says nothing readable.
pub async fn list(
    db: &impl ConnectionTrait,
    filter: &AuditFilter,
    before: Option<AuditId>,
    limit: u32,
) -> Result<Vec<AuditEntry>, Error> {
    let mut values: Vec<Value> = vec![i64::from(limit).into()];
    let mut wanted = String::new();
    let mut only = |condition: &str, value: Value| {
        values.push(value);
        wanted += &format!(" AND {condition} ${}", values.len());
    };
    if let Some(account) = filter.account {
        only("account =", (*account.as_uuid()).into());
    }
    if let Some(object) = &filter.object {
        only("object =", object.as_str().into());
    }
    if let Some(before) = before {
        only("id <", (*before.as_uuid()).into());
    }
    let sql = format!(
        "SELECT id, at, account, api_key, session, action, object, certain, detail FROM audit
         WHERE TRUE{wanted} ORDER BY id DESC LIMIT $1"
    );
    crate::all(db, &sql, values).await?.iter().map(entry).collect()
}

/// The columns of an entry, in their order.
#[must_use]
pub fn values(entry: &AuditEntry) -> [Value; 9] {
    let Author { account, key, session } = entry.author;
    [
        (*entry.id.as_uuid()).into(),
        entry.at.as_micros().into(),
        (*account.as_uuid()).into(),
        key.map(|key| *key.as_uuid()).into(),
        session.map(|session| *session.as_uuid()).into(),
        entry.action.as_str().into(),
        entry.object.as_str().into(),
        entry.certain.into(),
        entry.detail.as_ref().map(|detail| detail.as_str().to_owned()).into(),
    ]
}

fn entry(row: &QueryResult) -> Result<AuditEntry, Error> {
    let row = Columns(row);
    Ok(AuditEntry {
        id: AuditId::from_uuid(row.at(0)?),
        at: row.parsed("at", 1, Timestamp::from_micros)?,
        author: Author {
            account: AccountId::from_uuid(row.at(2)?),
            key: row.at::<Option<_>>(3)?.map(ApiKeyId::from_uuid),
            session: row.at::<Option<_>>(4)?.map(SessionId::from_uuid),
        },
        action: Action::from(row.at::<String>(5)?.as_str()),
        object: row.text("object", 6)?,
        certain: row.at(7)?,
        detail: row.optional("detail", 8, |text: String| text.parse().ok())?,
    })
}
