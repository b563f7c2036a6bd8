//! Lists of links: which index a list is read by, and the text that does so.
//!
//! A list without tags and text walks an index that has its order. One with tags reads a page of each tag's own index
//! ([`Source`]), and sorts these few. So a page costs the same whatever the table's size, unless most links that are
//! walked past fail a condition that has no index of its own.

use boltlink_core::{
    StoredLink, Tag, Timestamp,
    store::{LinkCursor, LinkFilter, LinkOrder, TagMatch},
};
use sea_orm::{ConnectionTrait, Value};

use crate::{
    Error,
    row::{Columns, stored_link, unsigned},
};

/// From how many links on a set of them counts as large: it is then quicker to walk all links in order, and to pass
/// over some, than to sort the set.
pub const LARGE: u32 = 3_000;

/// Where the ids of a list come from, if not from a walk over all links.
#[derive(Debug, Clone)]
pub struct Source {
    /// The tables, with `l` for the link.
    pub from: &'static str,
    /// The condition on them, with `?` for `value`.
    pub condition: &'static str,
    /// What is looked for.
    pub value: Value,
    /// The columns that the source is ordered by, where that is by age, as those of tags are.
    pub age: Option<(&'static str, &'static str)>,
    /// Whether it goes by owners of its own accord.
    pub owner: Option<&'static str>,
}

impl Source {
    /// The links with a tag, by age.
    #[must_use]
    pub fn tag(tag: &Tag) -> Self {
        Self {
            from: "link_tag g CROSS JOIN link l",
            condition: "l.id = g.link AND g.tag = ?",
            value: tag.as_str().into(),
            age: Some(("g.created_at", "g.link")),
            owner: Some("g.owner"),
        }
    }
}

/// See [`LinkStore::list`](boltlink_core::store::LinkStore::list). The filter's text is left to the engine.
///
/// # Errors
/// The driver's.
pub async fn list(
    db: &impl ConnectionTrait,
    filter: &LinkFilter,
    order: LinkOrder,
    after: Option<LinkCursor>,
    limit: u32,
) -> Result<Vec<StoredLink>, Error> {
    let sources = sources(db, filter, order).await?;
    read(db, filter, order, after, limit, &sources).await
}

/// The links that the sources have, or all.
///
/// # Errors
/// The driver's.
pub async fn read(
    db: &impl ConnectionTrait,
    filter: &LinkFilter,
    order: LinkOrder,
    after: Option<LinkCursor>,
    limit: u32,
    sources: &[Source],
) -> Result<Vec<StoredLink>, Error> {
    let (sql, values) = query(filter, order, after, limit, sources);
    crate::all(db, &sql, values).await?.iter().map(stored_link).collect()
}

/// Where a list is best read from.
async fn sources(db: &impl ConnectionTrait, filter: &LinkFilter, order: LinkOrder) -> Result<Vec<Source>, Error> {
    match filter.tag_match {
        TagMatch::Any if by_age(order) => Ok(filter.tags.iter().map(Source::tag).collect()),
        TagMatch::Any => {
            let mut all = 0;
            for tag in &filter.tags {
                all += count(db, filter, tag).await?;
            }
            let tags = if all > u64::from(LARGE) { None } else { Some(filter.tags.iter()) };
            Ok(tags.into_iter().flatten().map(Source::tag).collect())
        }
        TagMatch::All => {
            let mut rarest: Option<(u64, &Tag)> = None;
            for tag in &filter.tags {
                let links = count(db, filter, tag).await?;
                if rarest.is_none_or(|(fewest, _)| links < fewest) {
                    rarest = Some((links, tag));
                }
            }
            let useful = rarest.filter(|(links, _)| by_age(order) || *links <= u64::from(LARGE));
            Ok(useful.map(|(_, tag)| Source::tag(tag)).into_iter().collect())
        }
    }
}

/// The tags of a filter as sources, if few links have them: whatever else these are to fulfil, they are soon looked at.
///
/// # Errors
/// The driver's.
pub async fn rare_tags(db: &impl ConnectionTrait, filter: &LinkFilter) -> Result<Option<Vec<Source>>, Error> {
    // In the order of changes sources are what few links have.
    let rare = sources(db, filter, LinkOrder::LatestChange).await?;
    Ok((!rare.is_empty()).then_some(rare))
}

/// How many links have a tag; looks no further than [`LARGE`].
async fn count(db: &impl ConnectionTrait, filter: &LinkFilter, tag: &Tag) -> Result<u64, Error> {
    let (owner, values) = match filter.owner {
        None => ("", vec![tag.as_str().into(), i64::from(LARGE + 1).into()]),
        Some(owner) => {
            (" AND owner = $3", vec![tag.as_str().into(), i64::from(LARGE + 1).into(), (*owner.as_uuid()).into()])
        }
    };
    // In an order that an index has: without one Postgres may look for a rare tag from end to end of the table.
    let sql = format!(
        "SELECT COUNT(*) FROM (SELECT 1 FROM link_tag WHERE tag = $1{owner} ORDER BY created_at, link LIMIT $2) AS page"
    );
    let row = crate::one(db, &sql, values).await?;
    row.map_or(Ok(0), |row| Ok(unsigned(Columns(&row).at(0)?)))
}

/// The text and the values of a list.
#[must_use]
pub fn query(
    filter: &LinkFilter,
    order: LinkOrder,
    after: Option<LinkCursor>,
    limit: u32,
    sources: &[Source],
) -> (String, Vec<Value>) {
    let mut values = Values::default();
    let (time, direction) = match order {
        LinkOrder::Newest => ("l.created_at", "DESC"),
        LinkOrder::Oldest => ("l.created_at", "ASC"),
        LinkOrder::LatestChange => ("l.updated_at", "DESC"),
        LinkOrder::EarliestChange => ("l.updated_at", "ASC"),
    };
    let select = include_str!("sql/link.sql");
    if sources.is_empty() {
        let names = Names { time, id: "l.id", created: "l.created_at", owner: "l.owner", tagged: false };
        let conditions = conditions(filter, order, after, names, &mut values);
        let filter = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
        let limit = values.push(i64::from(limit));
        let sql = format!("{select}{filter} ORDER BY {time} {direction}, l.id {direction} LIMIT {limit}");
        return (sql, values.0);
    }
    let mut branches = Vec::new();
    for source in sources {
        let age = source.age.filter(|_| by_age(order));
        let (time, id) = age.unwrap_or((time, "l.id"));
        let created = source.age.map_or("l.created_at", |(created, _)| created);
        let names = Names { time, id, created, owner: source.owner.unwrap_or("l.owner"), tagged: source.age.is_some() };
        let mut all = vec![source.condition.replace('?', &values.push(source.value.clone()))];
        all.extend(conditions(filter, order, after, names, &mut values));
        let limit = values.push(i64::from(limit));
        branches.push(format!(
            "SELECT id FROM (SELECT l.id AS id FROM {} WHERE {} ORDER BY {time} {direction}, {id} {direction} LIMIT {limit}) AS page",
            source.from,
            all.join(" AND "),
        ));
    }
    let limit = values.push(i64::from(limit));
    let found = branches.join(" UNION ");
    // A bare {time} could have all links walked in its order, to look for each whether it is among the few that were found.
    let sql = format!("{select}WHERE l.id IN ({found}) ORDER BY +{time} {direction}, l.id {direction} LIMIT {limit}");
    (sql, values.0)
}

const fn by_age(order: LinkOrder) -> bool {
    matches!(order, LinkOrder::Newest | LinkOrder::Oldest)
}

/// How columns are called where a list is read from.
#[derive(Clone, Copy)]
struct Names<'a> {
    time: &'a str,
    id: &'a str,
    created: &'a str,
    owner: &'a str,
    /// Whether its rows have one of the tags already.
    tagged: bool,
}

/// What a list's rows must fulfil, tags and place included.
fn conditions(
    filter: &LinkFilter,
    order: LinkOrder,
    after: Option<LinkCursor>,
    names: Names<'_>,
    values: &mut Values,
) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(owner) = filter.owner {
        all.push(format!("{} = {}", names.owner, values.push(*owner.as_uuid())));
    }
    if let Some(domain) = &filter.domain {
        all.push(format!("l.domain = {}", values.push(domain.as_str())));
    }
    for (wanted, column) in [(filter.enabled, "l.enabled"), (filter.crawlable, "l.crawlable")] {
        match wanted {
            Some(true) => all.push(column.to_owned()),
            Some(false) => all.push(format!("NOT {column}")),
            None => {}
        }
    }
    // One bound at each end of the range: with two, an engine may enter the index by the wider one, and walk all pages
    // that were read before.
    let passed = |bound: Timestamp| {
        let beyond = |after: LinkCursor| if order.is_descending() { after.at < bound } else { after.at >= bound };
        by_age(order) && after.is_some_and(beyond)
    };
    let from = filter.created_from.filter(|from| order.is_descending() || !passed(*from));
    let to = filter.created_to.filter(|to| !order.is_descending() || !passed(*to));
    let after = after.filter(|_| !by_age(order) || if order.is_descending() { to.is_none() } else { from.is_none() });
    if let Some(from) = from {
        all.push(format!("{} >= {}", names.created, values.push(from.as_micros())));
    }
    if let Some(to) = to {
        all.push(format!("{} < {}", names.created, values.push(to.as_micros())));
    }
    let mut tagged = |tags: &[&Tag]| {
        let tags: Vec<_> = tags.iter().map(|tag| values.push(tag.as_str())).collect();
        // The offset keeps both engines from making a join of it, for which they would rather sort all links than walk
        // them in order.
        format!(
            "EXISTS (SELECT 1 FROM link_tag o WHERE o.tag IN ({}) AND o.created_at = l.created_at AND o.link = l.id \
             LIMIT 1 OFFSET 0)",
            tags.join(", ")
        )
    };
    let tags: Vec<_> = filter.tags.iter().collect();
    match filter.tag_match {
        _ if tags.is_empty() => {}
        TagMatch::Any if names.tagged => {}
        TagMatch::Any => all.push(tagged(&tags)),
        TagMatch::All => all.extend(tags.iter().map(|tag| tagged(&[tag]))),
    }
    if let Some(after) = after {
        let sign = if order.is_descending() { "<" } else { ">" };
        let (at, id) = (values.push(after.at.as_micros()), values.push(*after.id.as_uuid()));
        all.push(format!("({}, {}) {sign} ({at}, {id})", names.time, names.id));
    }
    all
}

/// Values, and the numbers by which a text names them.
#[derive(Default)]
struct Values(Vec<Value>);

impl Values {
    fn push(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }
}
