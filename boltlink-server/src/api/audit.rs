//! `/api/v1/audit`: who did what to which object.

use boltlink_core::{AccountId, AuditEntry, AuditId, ObjectId, Shortener, Timestamp, store::AuditFilter};
use poem_openapi::{ApiResponse, Object, OpenApi, param::Query, payload::Json};
use uuid::Uuid;

use super::{
    Tag,
    answer::{Refusals, Refused, refusals},
    auth::Caller,
    cursor::Cursors,
    links::default_limit,
    problem::{Code, Problem},
    scalar::{CursorText, IdText, Moment, Nullable, ObjectText},
};

/// The audit log.
pub(crate) struct Audit {
    shortener: Shortener,
    cursors: Cursors,
}

refusals! {
    OnAudit: ;
}

/// A page of the audit log.
#[derive(Debug, Object)]
pub(crate) struct AuditPage {
    /// The entries, newest first.
    items: Vec<AuditEntryView>,
    /// Pass it as `cursor` to get the next page; null on the last one.
    next_cursor: Nullable<String>,
}

/// One thing that somebody did.
#[derive(Debug, Object)]
#[oai(rename = "AuditEntry")]
pub(crate) struct AuditEntryView {
    /// Its name for ever.
    id: Uuid,
    /// When, UTC.
    at: Moment,
    /// On behalf of which account; `00000000-0000-0000-0000-000000000000` is the operator's.
    account_id: Uuid,
    /// With which API key; null if with none.
    key_id: Nullable<Uuid>,
    /// In which session; null if in none. With neither, it was the command line, or somebody who
    /// was just logging in, registering or setting a password by a one-time link.
    session_id: Nullable<Uuid>,
    /// What, such as `link.edited`: the kind of object and what became of it. Releases to come may know more.
    action: String,
    /// The id of the object.
    object_id: String,
    /// Whether it is known to have been done: false if the database went away meanwhile, and it may have been or not.
    certain: bool,
    /// What else is worth knowing, never a secret: where the link is or was, which fields were changed, which scopes
    /// or role there are.
    detail: Nullable<String>,
}

impl From<AuditEntry> for AuditEntryView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: *entry.id.as_uuid(),
            at: Moment(entry.at),
            account_id: *entry.author.account.as_uuid(),
            key_id: Nullable(entry.author.key.map(|key| *key.as_uuid())),
            session_id: Nullable(entry.author.session.map(|session| *session.as_uuid())),
            action: entry.action.to_string(),
            object_id: entry.object.as_str().to_owned(),
            certain: entry.certain,
            detail: Nullable(entry.detail.map(|detail| detail.to_string())),
        }
    }
}

#[derive(ApiResponse)]
enum Listed {
    /// A page of the audit log.
    #[oai(status = 200)]
    Page(Json<AuditPage>),
}

impl Audit {
    pub(crate) fn new(shortener: Shortener) -> Self {
        Self { cursors: Cursors::new(&shortener), shortener }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Audit")]
impl Audit {
    /// Read the audit log
    ///
    /// Who made, changed and deleted links, keys and accounts, who logged in, and who dropped clicks, newest first.
    /// Entries are added before whoever did it has the answer, and never changed.
    #[oai(path = "/audit", method = "get", operation_id = "list_audit_entries")]
    async fn list(
        &self,
        caller: Caller,
        /// Only what was done on behalf of the account of this id.
        account_id: Query<Option<IdText>>,
        /// Only what was done to the object of this id.
        object_id: Query<Option<ObjectText>>,
        /// How many at most.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "500")))]
        limit: Query<u32>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<CursorText>>,
    ) -> Result<Listed, Refused<OnAudit>> {
        let account = account_id.0.map(|id| id.0.parse::<AccountId>()).transpose();
        let account = account.map_err(|error| Problem::parameter("account_id", error.to_string()))?;
        let object = object_id.0.map(|id| id.0.parse::<ObjectId>()).transpose();
        let object = object.map_err(|error| Problem::parameter("object_id", error.to_string()))?;
        let list = format!("audit {} {}", text(account), text(object.as_ref().map(ObjectId::as_str)));
        let filter = AuditFilter { account, object };
        let before = cursor.0.map(|cursor| self.cursors.open(&list, &cursor.0)).transpose()?;
        let before = before.map(|(_, id)| AuditId::from_uuid(id));
        let page = self.shortener.audit(&caller.0, &filter, before, limit.0).await?;
        // Ids are in the order of time themselves.
        let next = page.next.map(|next| self.cursors.seal(&list, Timestamp::EPOCH, next.as_uuid()));
        let items = page.entries.into_iter().map(AuditEntryView::from).collect();
        Ok(Listed::Page(Json(AuditPage { items, next_cursor: Nullable(next) })))
    }
}

fn text(part: Option<impl ToString>) -> String {
    part.map_or_else(String::new, |part| part.to_string())
}
