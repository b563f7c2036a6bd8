//! Lists of links by text.
//!
//! The text index finds links by pieces of three characters, in no order. Where it finds few, these are sorted; where it
//! finds many, the links are walked in order instead, as the next page is then never far. Either way every link is
//! looked at before it is passed on: the index only says where to look.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use boltlink_core::{
    StoredLink,
    store::{LinkCursor, LinkFilter, LinkOrder, SearchText},
};
use boltlink_store_sql::{
    Error,
    list::{self, LARGE, Source},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

/// The text that asks the index how many there are.
const SEARCH: &str = include_str!("sql/text_search.sql");

/// How many links are looked at together, at least.
const PAGE: u32 = 200;

/// After how many links that were looked at in vain the walk is given up.
const FAR: usize = 4_000;

/// Searches by the text index.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    common: Arc<Mutex<Option<(Instant, Common)>>>,
}

impl Search {
    /// See [`LinkStore::list`](boltlink_core::store::LinkStore::list).
    pub(crate) async fn list(
        &self,
        db: &DatabaseConnection,
        filter: &LinkFilter,
        order: LinkOrder,
        mut after: Option<LinkCursor>,
        limit: u32,
    ) -> Result<Vec<StoredLink>, Error> {
        let Some(text) = &filter.text else { return list::list(db, filter, order, after, limit).await };
        let pattern = self.common(db).await?.pattern(text);
        let mut few = finds_few(db, &pattern).await?;
        let source = Source {
            // By its id each, whatever else it is to fulfil: SQLite would rather walk all links of a domain for each.
            from: "link_text JOIN link_document d ON d.document = link_text.rowid \
                   CROSS JOIN link l INDEXED BY sqlite_autoindex_link_1 ON l.id = d.link",
            condition: "link_text MATCH ?",
            value: pattern.into(),
            age: None,
            owner: None,
        };
        let (mut found, mut passed) = (Vec::new(), 0);
        loop {
            let page = limit.max(PAGE);
            let rows = if few {
                list::read(db, filter, order, after, page, std::slice::from_ref(&source)).await?
            } else {
                list::list(db, filter, order, after, page).await?
            };
            after = rows.last().map(|last| LinkCursor::of(&last.link, order));
            let is_last = rows.len() < page as usize;
            passed += rows.len();
            // They stand together, far from here: then it is better to sort them all.
            few |= passed > FAR;
            found.extend(rows.into_iter().filter(|row| text.is_in(&row.link)));
            if is_last || found.len() >= limit as usize {
                found.truncate(limit as usize);
                return Ok(found);
            }
        }
    }

    /// What is common among links, as of a minute ago at most.
    async fn common(&self, db: &DatabaseConnection) -> Result<Common, Error> {
        if let Some((made, common)) = &*self.common.lock().unwrap_or_else(PoisonError::into_inner)
            && made.elapsed() < KEPT
        {
            return Ok(common.clone());
        }
        let newest = list::list(db, &LinkFilter::default(), LinkOrder::Newest, None, SAMPLE).await?;
        let common = Common::among(&newest);
        *self.common.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), common.clone()));
        Ok(common)
    }
}

/// How long it is remembered what is common.
const KEPT: Duration = Duration::from_secs(60);
/// How many links tell what is common.
const SAMPLE: u32 = 100;
/// In how many of them a piece is common.
const COMMON: u32 = 5;

/// Whether the index finds fewer links than are worth sorting.
async fn finds_few(db: &DatabaseConnection, pattern: &str) -> Result<bool, Error> {
    let values = [pattern.into(), i64::from(LARGE).into()];
    let row = db.query_one_raw(Statement::from_sql_and_values(DbBackend::Sqlite, SEARCH, values)).await?;
    let found = row.map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))?;
    Ok(found < i64::from(LARGE))
}

/// Pieces that many links have, such as those of `https://`.
///
/// The index finds the links that have several pieces by looking each up in the list of every other; lists of common
/// pieces are long, and tell next to nothing. So they are left out of a question that has better ones.
#[derive(Debug, Clone, Default)]
struct Common(Arc<BTreeSet<Piece>>);

/// Three characters in a row.
type Piece = [char; SearchText::SHORTEST];

impl Common {
    fn among(links: &[StoredLink]) -> Self {
        let mut counts: HashMap<Piece, u32> = HashMap::new();
        for StoredLink { link, .. } in links {
            let title = link.title.as_ref().map_or("", |title| title.as_str());
            let all: BTreeSet<Piece> = [link.target.as_str(), title].into_iter().flat_map(pieces).collect();
            all.into_iter().for_each(|piece| *counts.entry(piece).or_default() += 1);
        }
        Self(Arc::new(counts.into_iter().filter(|(_, links)| *links >= COMMON).map(|(piece, _)| piece).collect()))
    }

    /// The words as the index can be asked for them: the pieces that each is made of, in quotes, so that nothing in them
    /// means anything.
    fn pattern(&self, text: &SearchText) -> String {
        let all: BTreeSet<Piece> = text.words().flat_map(pieces).collect();
        let mut telling: Vec<&Piece> = all.iter().filter(|piece| !self.0.contains(*piece)).collect();
        if telling.is_empty() {
            telling = all.iter().collect();
        }
        let quoted = |piece: &&Piece| format!("\"{}\"", piece.iter().collect::<String>().replace('"', "\"\""));
        telling.iter().map(quoted).collect::<Vec<_>>().join(" AND ")
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let characters: Vec<char> = text.to_lowercase().chars().collect();
    // SQLite folds case letter by letter: these stand for capitals that become something else there.
    let same = |piece: &Piece| !piece.iter().any(|c| matches!(c, '\u{307}' | 'σ' | 'ς'));
    characters.windows(SearchText::SHORTEST).filter_map(|piece| piece.try_into().ok()).filter(same).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(common: &str, text: &str) -> String {
        Common(Arc::new(pieces(common).into_iter().collect())).pattern(&text.parse().unwrap())
    }

    #[test]
    fn patterns_are_quoted() {
        assert_eq!(pattern("", "abcd x"), "\"abc\" AND \"bcd\"");
        assert_eq!(pattern("", "a\"b) OR *"), "\"\"\"b)\" AND \"a\"\"b\"");
    }

    #[test]
    fn common_pieces_are_left_out_of_better_questions() {
        assert_eq!(pattern("https://", "https://x"), "\"//x\"");
        assert_eq!(pattern("https://", "HTTP"), "\"htt\" AND \"ttp\"");
    }
}
