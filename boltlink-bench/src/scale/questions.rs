//! What the API is asked.

use serde_json::{Value, json};

use super::{DOMAIN, fill::Filled, make::Maker};
use crate::visitors;

/// On whose behalf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Who sees all.
    Operator,
    /// Who owns every tenth link.
    Member,
    /// Whoever follows a link.
    Visitor,
}

/// A request.
pub(crate) enum Ask {
    Get(String),
    Post(&'static str, Value),
}

/// A question: how it is called, who asks, and what in a round.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    pub(crate) who: Who,
    pub(crate) ask: Box<dyn Fn(u64) -> Ask>,
}

/// Where a list goes on that was read from its begin, page after page.
pub(crate) struct Cursors {
    pub(crate) links: Vec<String>,
    pub(crate) clicks: Vec<(String, String)>,
}

/// All of them.
pub(crate) fn questions(filled: &Filled, cursors: Cursors) -> Vec<Question> {
    let mut all = lists(filled, cursors.links);
    all.extend(links(filled));
    all.extend(counts(filled, cursors.clicks));
    all.extend(others());
    all
}

fn lists(filled: &Filled, cursors: Vec<String>) -> Vec<Question> {
    let (links, now) = (filled.links, filled.now);
    // Spread over all links, without a pattern that a cache could like.
    let number = move |round: u64| round * 104_729 % links;
    let list = |name, query: fn(u64) -> String| {
        get(name, Who::Operator, move |round| format!("/api/v1/links?{}", query(number(round))))
    };
    let mine = |name, query: fn(u64) -> String| {
        get(name, Who::Member, move |round| format!("/api/v1/links?{}", query(number(round))))
    };
    let day = move |round: u64, days: u64| {
        let begin = now.unsigned_abs() - (1 + round % 360) * 86_400;
        (moment(begin), moment(begin + days * 86_400))
    };
    vec![
        list("list: first page", |_| String::new()),
        list("list: first page of 500", |_| "limit=500".to_owned()),
        get("list: a page deep within, by its cursor", Who::Operator, move |round| {
            format!("/api/v1/links?cursor={}", pick(&cursors, round))
        }),
        list("list: oldest first", |_| "sort=created_at".to_owned()),
        list("list: last changed first", |_| "sort=-updated_at".to_owned()),
        list("list: a domain (1 in 20)", |_| format!("domain={DOMAIN}")),
        list("list: switched off (1 in 21)", |_| "enabled=false".to_owned()),
        list("list: switched off, of a domain (1 in 420)", |_| format!("enabled=false&domain={DOMAIN}")),
        list("list: for crawlers (1 in 50)", |_| "crawlable=true".to_owned()),
        get("list: made on one day", Who::Operator, move |round| {
            let (from, to) = day(round, 1);
            format!("/api/v1/links?created_from={from}&created_to={to}")
        }),
        list("tag that half of the links have", |_| "tags=even".to_owned()),
        list("tag that one in 50 has", |number| format!("tags=team-{:02}", number % 50)),
        list("tag that a hundred links have", |number| format!("tags=campaign-{:04}", number / 1_000)),
        list("two tags, any", |number| format!("tags=even&tags=campaign-{:04}", number / 1_000)),
        list("two tags, all", |number| format!("tags=even&tags=campaign-{:04}&tags_match=all", number / 1_000)),
        list("two common tags, all", |number| format!("tags=even&tags=team-{:02}&tags_match=all", number % 50 / 2 * 2)),
        list("tag, last changed first", |number| format!("tags=team-{:02}&sort=-updated_at", number % 50)),
        list("text that one link has", |number| format!("text={}", visitors::slug(number as usize))),
        list("text that one in 997 has", |number| format!("text=topic-{:03}", number % 997)),
        list("text that all have", |_| "text=newsletter".to_owned()),
        list("text that all have but some thousand newest", |_| "text=articles".to_owned()),
        list("text that none has", |number| format!("text=nowhere-{number}")),
        list("two words", |number| format!("text=topic-{:03}+articles", number % 997)),
        list("text and tag", |number| format!("text=notes&tags=campaign-{:04}", number / 1_000)),
        list("text, of a domain", |number| format!("text=topic-{:03}&domain={DOMAIN}", number % 997)),
        mine("a member's list: first page", |_| String::new()),
        mine("a member's list: switched off", |_| "enabled=false".to_owned()),
        mine("a member's list: last changed first", |_| "sort=-updated_at".to_owned()),
        mine("a member's list: tag", |number| format!("tags=team-{:02}", number % 5 * 10 + 3)),
        mine("a member's list: text that one link has", |number| {
            format!("text={}", visitors::slug((number / 10 * 10 + 3) as usize))
        }),
        mine("a member's list: text that all have", |_| "text=newsletter".to_owned()),
    ]
}

fn links(filled: &Filled) -> Vec<Question> {
    let (any, links) = (filled.any.clone(), filled.links);
    vec![
        get("link by its id", Who::Operator, move |round| format!("/api/v1/links/{}", pick(&any, round))),
        get("redirect of a link that is not cached", Who::Visitor, move |round| {
            // On the default domain, and switched on.
            let number = round * 104_729 % links / 420 * 420 + 2;
            format!("/{}", visitors::slug(number.min(links - 1) as usize))
        }),
        post("find_existing: there", |round| json!({ "target": Maker::target(round % 100), "find_existing": true })),
        post("link made", |round| json!({ "target": format!("https://late.example/{round}") })),
    ]
}

fn counts(filled: &Filled, cursors: Vec<(String, String)>) -> Vec<Question> {
    let now = filled.now.unsigned_abs();
    let hot = |name, query: fn(u64) -> String| {
        let hot = filled.hot.clone();
        get(name, Who::Operator, move |round| format!("/api/v1/links/{}/{}", pick(&hot, round), query(now)))
    };
    let any = filled.any.clone();
    let global =
        |name, path: fn(u64) -> String| get(name, Who::Operator, move |_| format!("/api/v1/analytics/{}", path(now)));
    vec![
        hot("hot link: stats", |_| "stats".to_owned()),
        hot("hot link: 40 days by hour", |now| {
            format!("series?interval=hour&from={}&to={}", moment(now - 40 * 86_400), moment(now))
        }),
        hot("hot link: 90 days by day", |now| {
            format!("series?interval=day&from={}&to={}", moment(now - 90 * 86_400), moment(now))
        }),
        hot("hot link: referrers of 30 days", |_| "breakdown?by=referrer".to_owned()),
        hot("hot link: referrers of 90 days", |now| {
            format!("breakdown?by=referrer&from={}", &moment(now - 90 * 86_400)[..10])
        }),
        hot("hot link: languages of 90 days", |now| {
            format!("breakdown?by=language&from={}", &moment(now - 90 * 86_400)[..10])
        }),
        hot("hot link: single clicks", |_| "clicks?limit=50".to_owned()),
        get("hot link: single clicks deep within, by cursor", Who::Operator, move |round| {
            let (id, cursor) = &cursors[(round % cursors.len().max(1) as u64) as usize];
            format!("/api/v1/links/{id}/clicks?limit=50&cursor={cursor}")
        }),
        get("any link: stats", Who::Operator, move |round| format!("/api/v1/links/{}/stats", pick(&any, round))),
        global("all links: 30 days", |_| "global".to_owned()),
        global("all links: 366 days", |now| format!("global?from={}", &moment(now - 365 * 86_400)[..10])),
        global("most clicked links: yesterday", |now| {
            let day = &moment(now - 86_400)[..10];
            format!("top?from={day}&to={day}")
        }),
        global("most clicked links: 30 days", |_| "top".to_owned()),
        global("most clicked links: 90 days", |now| format!("top?from={}", &moment(now - 90 * 86_400)[..10])),
    ]
}

fn others() -> Vec<Question> {
    vec![
        get("API keys", Who::Operator, |_| "/api/v1/keys".to_owned()),
        get("accounts", Who::Operator, |_| "/api/v1/accounts".to_owned()),
        get("audit log", Who::Operator, |_| "/api/v1/audit".to_owned()),
        get("queue", Who::Operator, |_| "/api/v1/admin/queue".to_owned()),
        get("health", Who::Visitor, |_| "/health".to_owned()),
    ]
}

fn get(name: &'static str, who: Who, path: impl Fn(u64) -> String + 'static) -> Question {
    Question { name, who, ask: Box::new(move |round| Ask::Get(path(round))) }
}

fn post(name: &'static str, link: fn(u64) -> Value) -> Question {
    Question { name, who: Who::Operator, ask: Box::new(move |round| Ask::Post("/api/v1/links", link(round))) }
}

fn pick(texts: &[String], round: u64) -> &str {
    texts.get((round * 7 % texts.len().max(1) as u64) as usize).map_or("", String::as_str)
}

/// Seconds since 1970 as RFC 3339.
fn moment(seconds: u64) -> String {
    // Days to a date: http://howardhinnant.github.io/date_algorithms.html, which works from March on.
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * from_march + 2) / 5 + 1, (from_march + 2) % 12 + 1);
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}
