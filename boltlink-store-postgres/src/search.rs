//! Lists of links by text.
//!
//! The text index (`link_text`, of the extension `pg_trgm`) finds links by pieces of three characters. Whether few enough
//! have them to be sorted, or the links are better walked in order, the planner tells from its statistics. Either way
//! every link is looked at before it is passed on: the index only says where to look. Without the index all are walked.

use boltlink_core::{
    StoredLink,
    store::{LinkCursor, LinkFilter, LinkOrder, SearchText},
};
use boltlink_store_sql::{
    Error,
    list::{self, Source},
};
use sea_orm::ConnectionTrait;

/// How many links are looked at together, at least.
const PAGE: u32 = 200;

/// What the index is of, as the migration spells it.
macro_rules! text {
    () => {
        "lower(replace(replace(l.slug || E'\\n' || l.target || E'\\n' || coalesce(l.title, '') || E'\\n' || \
         coalesce(l.note, ''), U&'\\212A', 'k'), U&'\\0130', 'i'))"
    };
}

/// See [`LinkStore::list`](boltlink_core::store::LinkStore::list).
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    filter: &LinkFilter,
    order: LinkOrder,
    mut after: Option<LinkCursor>,
    limit: u32,
) -> Result<Vec<StoredLink>, Error> {
    let Some(text) = &filter.text else { return list::list(db, filter, order, after, limit).await };
    // Tags that few links have say more than any text.
    let sources = match list::rare_tags(db, filter).await? {
        Some(tags) => tags,
        None => source(text).into_iter().collect(),
    };
    let mut found = Vec::new();
    loop {
        let page = limit.max(PAGE);
        let rows = if sources.is_empty() {
            list::list(db, filter, order, after, page).await?
        } else {
            list::read(db, filter, order, after, page, &sources).await?
        };
        after = rows.last().map(|last| LinkCursor::of(&last.link, order));
        let is_last = rows.len() < page as usize;
        found.extend(rows.into_iter().filter(|row| text.is_in(&row.link)));
        if is_last || found.len() >= limit as usize {
            found.truncate(limit as usize);
            return Ok(found);
        }
    }
}

/// The links that have the longest piece of the text that the index knows, if there is one.
pub(crate) fn source(text: &SearchText) -> Option<Source> {
    let piece = text.words().flat_map(|word| word.split(|c| !is_plain(c))).max_by_key(|piece| piece.chars().count())?;
    if piece.chars().count() < SearchText::SHORTEST {
        return None;
    }
    let mut pattern = String::from("%");
    for c in piece.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    let condition = concat!(text!(), " LIKE ?");
    Some(Source { from: "link l", condition, value: pattern.into(), age: None, owner: None })
}

/// Whether the character is in the index as it is in the text that it is found by: beyond ASCII, Postgres and Rust need
/// not agree on what becomes what in lower case.
fn is_plain(c: char) -> bool {
    c.is_ascii() || c.is_alphanumeric() && c.to_lowercase().eq([c]) && c.to_uppercase().eq([c])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Option<String> {
        source(&text.parse().unwrap()).map(|source| source.value.unwrap())
    }

    #[test]
    fn the_longest_plain_piece_is_looked_for() {
        for (text, piece) in [
            ("ab Example.COM", Some("%example.com%")),
            ("50%_off\\", Some("%50\\%\\_off\\\\%")),
            ("größer", None),
            ("äpfelmus", Some("%pfelmus%")),
            ("日本語", Some("%日本語%")),
        ] {
            assert_eq!(pattern(text).as_deref(), piece, "{text}");
        }
    }
}
