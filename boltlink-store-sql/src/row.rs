//! The way between columns and domain types.

use boltlink_core::{
    Account, AccountId, ApiKey, ApiKeyId, Bounds, ClickId, ClientName, Forward, Lifetime, Link, LinkId, Network, Note,
    PasswordHash, Scopes, Session, SessionId, StoredLink, Tag, Tags, TargetUrl, Timestamp, Title, TokenDigest,
    VisitorHash,
    sample::{Others, Pack, Sampled},
    store::{RawClick, Registered},
};
use sea_orm::{QueryResult, TryGetable, Value};
use uuid::Uuid;

use crate::error::{DamagedRow, Error};

/// The number of columns of `link`.
pub const LINK_COLUMNS: usize = 21;

/// The columns of a row in `link`, in the order of the table.
#[must_use]
pub fn link_values(link: &Link) -> [Value; LINK_COLUMNS] {
    [
        (*link.id.as_uuid()).into(),
        (*link.owner.as_uuid()).into(),
        link.domain.as_str().into(),
        link.slug.as_str().into(),
        link.target.as_str().into(),
        link.target.hash().into(),
        link.title.as_ref().map(|title| title.as_str().to_owned()).into(),
        link.note.as_ref().map(|note| note.as_str().to_owned()).into(),
        tags_text(&link.tags).into(),
        // At most 308.
        i16::try_from(link.redirect.code()).unwrap_or_default().into(),
        link.lifetime.starts_at().map(Timestamp::as_micros).into(),
        link.lifetime.expires_at().map(Timestamp::as_micros).into(),
        link.max_visits.map(|max| signed(max.get())).into(),
        link.enabled.into(),
        link.created_at.as_micros().into(),
        link.updated_at.as_micros().into(),
        signed(link.version).into(),
        link.forward.query.into(),
        link.forward.path.into(),
        link.crawlable.into(),
        hash_text(link.password.as_ref()),
    ]
}

/// Reads the columns that `sql/link.sql` selects.
pub(crate) fn stored_link(row: &QueryResult) -> Result<StoredLink, Error> {
    let row = Columns(row);
    let target: String = row.at(4)?;
    let micros = |at| row.optional("starts_at or expires_at", at, Timestamp::from_micros);
    let link = Link {
        id: LinkId::from_uuid(row.at(0)?),
        owner: AccountId::from_uuid(row.at(1)?),
        domain: row.text("domain", 2)?,
        slug: row.text("slug", 3)?,
        target: TargetUrl::from_stored(&target).ok_or(DamagedRow { column: "target", value: target })?,
        title: row.optional("title", 5, |text: String| Title::from_stored(&text))?,
        note: row.optional("note", 6, |text: String| Note::from_stored(&text))?,
        tags: tags(row.at(7)?)?,
        redirect: row.parsed("redirect", 8, |code: i16| u16::try_from(code).ok()?.try_into().ok())?,
        lifetime: Lifetime::new(micros(9)?, micros(10)?)
            .map_err(|_| DamagedRow { column: "expires_at", value: "before starts_at".into() })?,
        max_visits: row.optional("max_visits", 11, |max: i64| u64::try_from(max).ok()?.try_into().ok())?,
        enabled: row.at(12)?,
        created_at: row.parsed("created_at", 13, Timestamp::from_micros)?,
        updated_at: row.parsed("updated_at", 14, Timestamp::from_micros)?,
        version: unsigned(row.at(15)?),
        forward: Forward { query: row.at(16)?, path: row.at(17)? },
        crawlable: row.at(18)?,
        password: hash(row.at(19)?),
    };
    Ok(StoredLink { link, clicks: unsigned(row.at(20)?), taken: unsigned(row.at(21)?) })
}

/// The number of columns of `click`, its place not counted.
pub const CLICK_COLUMNS: usize = 11;

/// The columns of a row in `click`, but for its place.
#[must_use]
pub fn click_values(pack: Pack<'_>) -> [Value; CLICK_COLUMNS] {
    let Pack { newest: Sampled { click, id, at, weight }, others } = pack;
    let network = click.network.map(|network| match network {
        Network::V4(bytes) => bytes.to_vec(),
        Network::V6(bytes) => bytes.to_vec(),
    });
    [
        (*click.link.as_uuid()).into(),
        at.as_micros().into(),
        (*id.as_uuid()).into(),
        signed(weight).into(),
        click.referrer.map(str::to_owned).into(),
        click.user_agent.map(str::to_owned).into(),
        click.language.map(str::to_owned).into(),
        click.visitor.map(|VisitorHash(hash)| hash.to_be_bytes().to_vec()).into(),
        network.into(),
        others.as_ref().map(|others| others.oldest.as_micros()).into(),
        others.map(|others| others.packed).into(),
    ]
}

/// Reads the columns that `sql/clicks.sql` selects: all clicks of a row, the newest first.
pub(crate) fn raw_clicks(row: &QueryResult) -> Result<Vec<RawClick>, Error> {
    let row = Columns(row);
    let network = |bytes: Vec<u8>| match bytes.len() {
        3 => Some(Network::V4(bytes.try_into().ok()?)),
        6 => Some(Network::V6(bytes.try_into().ok()?)),
        _ => None,
    };
    let mut others = row.optional("packed", 8, |bytes: Vec<u8>| Others::unpack(&bytes))?.unwrap_or_default();
    let weight = unsigned(row.at(2)?);
    let newest = RawClick {
        id: ClickId::from_uuid(row.uuid(0)?),
        at: row.parsed("at", 1, Timestamp::from_micros)?,
        // Its row has the weight of all.
        weight: others.iter().fold(weight, |weight, other| weight.saturating_sub(other.weight)),
        referrer: row.at(3)?,
        user_agent: row.at(4)?,
        language: row.at(5)?,
        visitor: row
            .optional("visitor", 6, |bytes: Vec<u8>| Some(VisitorHash(u128::from_be_bytes(bytes.try_into().ok()?))))?,
        network: row.optional("network", 7, network)?,
    };
    others.insert(0, newest);
    Ok(others)
}

/// The columns of a row in `api_key`.
pub(crate) fn key_values(key: &ApiKey) -> [Value; 14] {
    let list = |items: Vec<String>| Value::from((!items.is_empty()).then(|| items.join(" ")));
    let Bounds { domains, networks } = &key.bounds;
    [
        (*key.id.as_uuid()).into(),
        (*key.owner.as_uuid()).into(),
        key.name.as_str().into(),
        // What releases before scopes go by, which know no bounds: to them one that has some must not be an admin's.
        (key.is_admin() && key.bounds == Bounds::NONE).into(),
        key.digest.as_bytes().to_vec().into(),
        key.created_at.as_micros().into(),
        key.expires_at.map(Timestamp::as_micros).into(),
        key.revoked_at.map(Timestamp::as_micros).into(),
        key.scopes.to_string().into(),
        list(domains.iter().map(ToString::to_string).collect()),
        list(networks.iter().map(ToString::to_string).collect()),
        key.previous.map(|(digest, _)| digest.as_bytes().to_vec()).into(),
        key.previous.map(|(_, until)| until.as_micros()).into(),
        key.last_used_at.map(Timestamp::as_micros).into(),
    ]
}

/// Reads the columns of a row in `api_key`.
pub(crate) fn api_key(row: &QueryResult) -> Result<ApiKey, Error> {
    let row = Columns(row);
    let previous = row.optional("previous_digest", 11, digest)?;
    let until = row.optional("previous_until", 12, Timestamp::from_micros)?;
    // Releases before scopes knew two kinds of keys.
    let scopes = row.optional("scopes", 8, |text: String| text.parse().ok())?;
    let unsaid = if row.at(3)? { Scopes::ADMIN } else { Scopes::MEMBER };
    Ok(ApiKey {
        id: ApiKeyId::from_uuid(row.at(0)?),
        owner: AccountId::from_uuid(row.at(1)?),
        name: row.text("name", 2)?,
        scopes: scopes.unwrap_or(unsaid),
        bounds: Bounds {
            domains: row.optional("domains", 9, words)?.unwrap_or_default(),
            networks: row.optional("networks", 10, words)?.unwrap_or_default(),
        },
        digest: row.parsed("digest", 4, digest)?,
        previous: previous.zip(until),
        created_at: row.parsed("created_at", 5, Timestamp::from_micros)?,
        expires_at: row.optional("expires_at", 6, Timestamp::from_micros)?,
        revoked_at: row.optional("revoked_at", 7, Timestamp::from_micros)?,
        last_used_at: row.optional("last_used_at", 13, Timestamp::from_micros)?,
    })
}

/// The columns of a row in `account`, but for `deleted_at`.
pub(crate) fn account_values(account: &Account) -> [Value; 9] {
    [
        (*account.id.as_uuid()).into(),
        account.email.as_str().into(),
        account.role.as_str().into(),
        hash_text(account.password.as_ref()),
        account.ticket.map(|(digest, _)| digest.as_bytes().to_vec()).into(),
        account.ticket.map(|(_, until)| until.as_micros()).into(),
        account.created_at.as_micros().into(),
        account.disabled_at.map(Timestamp::as_micros).into(),
        account.last_login_at.map(Timestamp::as_micros).into(),
    ]
}

/// Reads the columns of a row in `account`, with `deleted_at` behind them.
pub(crate) fn registered(row: &QueryResult) -> Result<Registered, Error> {
    let columns = Columns(row);
    if columns.at::<Option<i64>>(9)?.is_some() {
        Ok(Registered::Deleted)
    } else {
        account(row).map(Registered::Account)
    }
}

/// Reads the columns of a row in `account`, of one that was not deleted.
pub(crate) fn account(row: &QueryResult) -> Result<Account, Error> {
    let row = Columns(row);
    let ticket = row.optional("ticket_digest", 4, digest)?;
    let until = row.optional("ticket_until", 5, Timestamp::from_micros)?;
    Ok(Account {
        id: AccountId::from_uuid(row.at(0)?),
        email: row.text("email", 1)?,
        role: row.text("role", 2)?,
        password: hash(row.at(3)?),
        ticket: ticket.zip(until),
        created_at: row.parsed("created_at", 6, Timestamp::from_micros)?,
        disabled_at: row.optional("disabled_at", 7, Timestamp::from_micros)?,
        last_login_at: row.optional("last_login_at", 8, Timestamp::from_micros)?,
    })
}

/// The columns of a row in `session`.
pub(crate) fn session_values(session: &Session) -> [Value; 7] {
    [
        (*session.id.as_uuid()).into(),
        (*session.account.as_uuid()).into(),
        session.digest.as_bytes().to_vec().into(),
        session.created_at.as_micros().into(),
        session.used_at.as_micros().into(),
        session.expires_at.as_micros().into(),
        session.client.as_ref().map(|client| client.as_str().to_owned()).into(),
    ]
}

/// Reads the columns of a row in `session`.
pub(crate) fn session(row: &QueryResult) -> Result<Session, Error> {
    let row = Columns(row);
    Ok(Session {
        id: SessionId::from_uuid(row.at(0)?),
        account: AccountId::from_uuid(row.at(1)?),
        digest: row.parsed("digest", 2, digest)?,
        created_at: row.parsed("created_at", 3, Timestamp::from_micros)?,
        used_at: row.parsed("used_at", 4, Timestamp::from_micros)?,
        expires_at: row.parsed("expires_at", 5, Timestamp::from_micros)?,
        client: row.optional("client", 6, |text: String| ClientName::from_stored(&text))?,
    })
}

fn hash_text(hash: Option<&PasswordHash>) -> Value {
    hash.map(|hash| hash.as_str().to_owned()).into()
}

fn hash(text: Option<String>) -> Option<PasswordHash> {
    text.map(|text| PasswordHash::from_stored(&text))
}

fn digest(bytes: Vec<u8>) -> Option<TokenDigest> {
    bytes.try_into().ok().map(TokenDigest::from_bytes)
}

/// What stands between spaces.
fn words<T: std::str::FromStr>(text: String) -> Option<Vec<T>> {
    text.split(' ').map(|word| word.parse().ok()).collect()
}

/// A number as the databases keep it. Ours stay far below the bound.
#[must_use]
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number that was kept.
#[must_use]
pub fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Tags as a JSON array, which every engine can look into.
#[must_use]
pub fn tags_text(tags: &Tags) -> String {
    serde_json::Value::from(tags.iter().map(Tag::as_str).collect::<Vec<_>>()).to_string()
}

fn tags(text: String) -> Result<Tags, Error> {
    let read = || {
        let words: Vec<String> = serde_json::from_str(&text).ok()?;
        Tags::new(words.iter().map(|word| word.parse().ok()).collect::<Option<_>>()?).ok()
    };
    Ok(read().ok_or_else(|| DamagedRow { column: "tags", value: text.clone() })?)
}

/// A row whose values are parsed on the way out, so that what cannot be is named.
pub(crate) struct Columns<'a>(pub(crate) &'a QueryResult);

impl Columns<'_> {
    pub(crate) fn at<T: TryGetable>(&self, index: usize) -> Result<T, Error> {
        Ok(self.0.try_get_by_index(index)?)
    }

    pub(crate) fn uuid(&self, index: usize) -> Result<Uuid, Error> {
        self.at(index)
    }

    pub(crate) fn text<T: std::str::FromStr>(&self, column: &'static str, index: usize) -> Result<T, Error> {
        self.parsed(column, index, |text: String| text.parse().ok())
    }

    pub(crate) fn parsed<R: TryGetable + Clone + std::fmt::Debug, T>(
        &self,
        column: &'static str,
        index: usize,
        parse: impl Fn(R) -> Option<T>,
    ) -> Result<T, Error> {
        let raw: R = self.at(index)?;
        Ok(parse(raw.clone()).ok_or_else(|| DamagedRow { column, value: format!("{raw:?}") })?)
    }

    pub(crate) fn optional<R: TryGetable + Clone + std::fmt::Debug, T>(
        &self,
        column: &'static str,
        index: usize,
        parse: impl Fn(R) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let raw: Option<R> = self.at(index)?;
        raw.map(|raw| parse(raw.clone()).ok_or_else(|| DamagedRow { column, value: format!("{raw:?}") }.into()))
            .transpose()
    }
}
