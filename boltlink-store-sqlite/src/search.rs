//! Lists of links by text.
//!
//! The text index finds links by pieces of three characters, in no order. Where it finds few, these are sorted; where it
//! finds many, the links are walked in order instead, as the next page is then never far. Either way every link is
//! looked at before it is passed on: the index only says where to look.

use boltlink_core::{
    StoredLink,
    store::{LinkCursor, LinkFilter, LinkOrder, SearchText},
};
use boltlink_store_sql::{
    Error,
    list::{self, LARGE, Source},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

/// The text that asks the index.
const SEARCH: &str = include_str!("sql/text_search.sql");

/// See [`LinkStore::list`](boltlink_core::store::LinkStore::list).
pub(crate) async fn list(
    db: &DatabaseConnection,
    filter: &LinkFilter,
    order: LinkOrder,
    mut after: Option<LinkCursor>,
    limit: u32,
) -> Result<Vec<StoredLink>, Error> {
    let Some(text) = &filter.text else { return list::list(db, filter, order, after, limit).await };
    let pattern = pattern(text);
    let few = finds_few(db, &pattern).await?;
    let source = Source {
        from: "link_text JOIN link_document d ON d.document = link_text.rowid CROSS JOIN link l ON l.id = d.link",
        condition: "link_text MATCH ?",
        value: pattern.into(),
        age: None,
        owner: None,
    };
    let mut found = Vec::new();
    loop {
        let page = limit.max(PAGE);
        let rows = if few {
            list::read(db, filter, order, after, page, std::slice::from_ref(&source)).await?
        } else {
            list::list(db, filter, order, after, page).await?
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

/// How many links are looked at together, at least.
const PAGE: u32 = 200;

/// Whether the index finds fewer links than are worth sorting.
async fn finds_few(db: &DatabaseConnection, pattern: &str) -> Result<bool, Error> {
    let values = [pattern.into(), i64::from(LARGE).into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(DbBackend::Sqlite, SEARCH, values)).await?;
    Ok(rows.len() < LARGE as usize)
}

/// The words as the index can be asked for them: the pieces of three characters that each is made of, in quotes, so
/// that nothing in them means anything.
fn pattern(text: &SearchText) -> String {
    let mut pieces = Vec::new();
    for word in text.words() {
        let characters: Vec<char> = word.chars().collect();
        pieces.extend(characters.windows(SearchText::SHORTEST).map(|piece| {
            let piece: String = piece.iter().collect();
            format!("\"{}\"", piece.replace('"', "\"\""))
        }));
    }
    pieces.sort_unstable();
    pieces.dedup();
    pieces.join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_quoted() {
        let pattern = |text: &str| pattern(&text.parse().unwrap());
        assert_eq!(pattern("abcd x"), "\"abc\" AND \"bcd\"");
        assert_eq!(pattern("a\"b) OR *"), "\"\"\"b)\" AND \"a\"\"b\"");
    }
}
