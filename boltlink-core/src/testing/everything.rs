//! Everything that a database can be asked for, once: for looks at what it does to answer.

use std::time::Duration;

use super::{
    Fixture,
    account::{account, hash, session, ticket},
    sample::{self, clicks, inserts, key, link, producer, target},
};
use crate::{
    AccountId, Action, AuditEntry, Author, Clock, EntropyExt, Link, ObjectId, Role, Slug, SystemEntropy, Tag, Tags,
    store::{
        AccountCursor, AuditFilter, Change, Changes, ClickCursor, Consumer, Dimension, Fingerprint, Idempotency,
        Insert, Inserted, Interval, KeyCursor, LinkCursor, LinkFilter, LinkOrder, Scope, SessionUse, Span, TagMatch,
    },
};

/// A tag that links of [`everything`] have, for others to have it too.
pub const TAG: &str = "everything";
/// A domain that some of them are under.
pub const DOMAIN: &str = "go.example";

const DAY: Duration = Duration::from_secs(86_400);

/// Calls what the stores have, each on rows of its own among whatever is there: lists by every filter and in every order,
/// look-ups, writes, clicks, counts, keys, accounts, the audit log and the change log. What is changed for all (how slugs
/// are told apart) is left out.
///
/// Nothing is said about the answers, which the suites are for, but that there are some. `round` is a number that no other
/// call on these stores had.
pub async fn everything(fixture: &Fixture, round: u32) {
    links(fixture, round).await;
    lists(fixture, round).await;
    clicked(fixture, round).await;
    dead_letters(fixture, round).await;
    counts(fixture, round).await;
    keys(fixture).await;
    accounts(fixture, round).await;
    logs(fixture).await;
}

fn slug(name: &str, round: u32) -> String {
    format!("every-{name}-{round}")
}

fn one(fixture: &Fixture, name: &str, round: u32) -> Link {
    Link {
        tags: Tags::new([TAG, "other"].map(|tag| tag.parse::<Tag>().unwrap()).to_vec()).unwrap(),
        title: Some(format!("Everything about {name} {round}").parse().unwrap()),
        ..link(fixture, &slug(name, round))
    }
}

async fn links(fixture: &Fixture, round: u32) {
    let (links, now) = (&fixture.stores.links, fixture.clock.now());
    let first = one(fixture, "first", round);
    let once = |name: &str| Idempotency {
        owner: first.owner,
        key: format!("{name}-{round}").parse().unwrap(),
        fingerprint: Fingerprint([7; 32]),
        at: now,
    };
    assert_eq!(links.insert(&first, Some(&once("first"))).await.unwrap(), Inserted::Created);
    assert_eq!(links.insert(&first, Some(&once("first"))).await.unwrap(), Inserted::Replayed(first.id));
    assert_eq!(links.insert(&first, None).await.unwrap(), Inserted::IdTaken);
    let many: Vec<_> = (0..70).map(|at| one(fixture, &format!("many-{at}"), round)).collect();
    links.insert_many(&inserts(&many)).await.unwrap();
    links.insert_many(&inserts(&many)).await.unwrap();
    let entangled = Insert { once: Some(once("entangled")), ..one(fixture, "entangled", round).into() };
    links.insert_many(&[entangled]).await.unwrap();

    links.by_id(first.id).await.unwrap().unwrap();
    links.by_slug(&first.domain, &first.slug).await.unwrap().unwrap();
    links.by_target(first.owner, &first.domain, &first.target, 10).await.unwrap();
    links.usable_by_target(first.owner, &first.domain, &first.target, now, 10).await.unwrap();
    let changed = Link {
        slug: slug("changed", round).parse::<Slug>().unwrap(),
        target: target("https://example.com/changed"),
        tags: Tags::default(),
        max_visits: Some(9.try_into().unwrap()),
        version: 2,
        ..first
    };
    links.update(&changed, 1).await.unwrap();
    assert_eq!(links.reserve(changed.id, 2).await.unwrap(), 2);
    assert_eq!(links.reserve(many[0].id, 2).await.unwrap(), 2);
    links.delete(changed.id, Some(2)).await.unwrap();
    links.ping().await.unwrap();
}

async fn lists(fixture: &Fixture, round: u32) {
    let place = one(fixture, "place", round);
    sample::store(fixture, place.clone()).await;
    for (filter, orders) in filters(&place, round) {
        for order in orders.iter().copied() {
            for after in [None, Some(LinkCursor::of(&place, order))] {
                let listed = fixture.stores.links.list(&filter, order, after, 50).await;
                listed.unwrap_or_else(|error| panic!("{error} for {filter:?} {order:?} {after:?}"));
            }
        }
    }
}

/// Every filter by itself in every order, and for one owner, one domain and both in one direction of each.
fn filters(place: &Link, round: u32) -> Vec<(LinkFilter, &'static [LinkOrder])> {
    use LinkOrder::{EarliestChange, LatestChange, Newest, Oldest};
    let none = LinkFilter::default;
    let (owner, domain) = (Some(place.owner), Some(DOMAIN.parse().unwrap()));
    let text = |text: &str| LinkFilter { text: Some(text.parse().unwrap()), ..none() };
    let tags = |tags: &[&str], tag_match| LinkFilter {
        tags: Tags::new(tags.iter().map(|tag| tag.parse().unwrap()).collect::<Vec<Tag>>()).unwrap(),
        tag_match,
        ..none()
    };
    let kinds = [
        none(),
        LinkFilter { enabled: Some(true), ..none() },
        LinkFilter { enabled: Some(false), ..none() },
        LinkFilter { crawlable: Some(true), ..none() },
        LinkFilter { crawlable: Some(false), ..none() },
        LinkFilter { created_from: Some(place.created_at.minus(DAY)), ..none() },
        LinkFilter { created_to: Some(place.created_at.minus(DAY)), ..none() },
        tags(&[TAG], TagMatch::Any),
        tags(&[TAG, "other"], TagMatch::Any),
        tags(&[TAG, "other"], TagMatch::All),
        tags(&["of-few"], TagMatch::Any),
        text(&format!("place {round}")),
        text("example.com"),
        text("nowhere"),
        LinkFilter { tags: tags(&[TAG], TagMatch::Any).tags, ..text("everything") },
    ];
    let of = |kind: LinkFilter| {
        [
            (LinkFilter { owner, ..kind.clone() }, &[Newest, EarliestChange][..]),
            (LinkFilter { domain: domain.clone(), ..kind.clone() }, &[Oldest, LatestChange]),
            (LinkFilter { owner, domain: domain.clone(), ..kind.clone() }, &[Newest, LatestChange]),
            (kind, &[Newest, Oldest, LatestChange, EarliestChange]),
        ]
    };
    kinds.into_iter().flat_map(of).collect()
}

async fn clicked(fixture: &Fixture, round: u32) {
    let link = sample::stored(fixture, &slug("clicked", round)).await;
    let producer = producer(fixture);
    for consumer in Consumer::ALL {
        let sink = fixture.sink(consumer);
        let batches: Vec<_> = (1..4).map(|sequence| clicks(fixture, producer, sequence, link, 3)).collect();
        sink.apply(&batches).await.unwrap();
        sink.apply(&batches).await.unwrap();
        sink.salvage(&clicks(fixture, producer, 4, link, 3)).await.unwrap();
        sink.applied(&[producer]).await.unwrap();
        if let Some(mut tally) = sink.tally() {
            tally.add([&clicks(fixture, producer, 5, link, 3)], fixture.clock.now());
            sink.apply_tally(&tally.into()).await.unwrap();
        }
    }
}

async fn dead_letters(fixture: &Fixture, round: u32) {
    let link = sample::stored(fixture, &slug("dead", round)).await;
    let producer = producer(fixture);
    for consumer in Consumer::ALL {
        let sink = fixture.sink(consumer);
        let dead = [1, 2].map(|sequence| clicks(fixture, producer, sequence, link, 3));
        for batch in &dead {
            sink.set_aside(batch, "everything is tried").await.unwrap();
        }
        sink.apply(&dead).await.unwrap();
        sink.count_dead_letters().await.unwrap();
        sink.count_missing().await.unwrap();
        for after in [None, Some(dead[0].id())] {
            sink.dead_letters(after, 10).await.unwrap();
            sink.dead_letter_ids(after, 10).await.unwrap();
        }
        sink.dead_letter(dead[0].id()).await.unwrap().unwrap();
        sink.replay(dead[0].id()).await.unwrap();
        sink.purge(dead[1].id()).await.unwrap();
    }
}

async fn counts(fixture: &Fixture, round: u32) {
    let link = sample::stored(fixture, &slug("counted", round)).await;
    sample::apply(fixture, Consumer::Analytics, &[clicks(fixture, producer(fixture), 1, link, 3)]).await;
    let (reader, now) = (&fixture.stores.reader, fixture.clock.now());
    for scope in [Scope::Link(link), Scope::Global] {
        reader.total(scope).await.unwrap();
        for interval in [Interval::Hour, Interval::Day] {
            reader.series(scope, interval, Span { from: now.hour() - 30 * 24, to: now.hour() + 1 }).await.unwrap();
        }
    }
    for by in Dimension::ALL {
        reader.breakdown(link, by, now.day() - 30, now.day() + 1, 10).await.unwrap();
    }
    for days in [1, 30, 90] {
        reader.top(now.day() + 1 - days, now.day() + 1, 10).await.unwrap();
    }
    let (from, to) = (now.minus(29 * DAY), now.plus(DAY));
    let newest = reader.clicks(link, from, to, None, 2).await.unwrap();
    let after = newest.last().map(ClickCursor::from);
    assert_eq!(reader.clicks(link, from, to, after, 2).await.unwrap().len(), 1);
}

async fn keys(fixture: &Fixture) {
    let (keys, now) = (&fixture.stores.keys, fixture.clock.now());
    let new = key(fixture, AccountId::OPERATOR);
    keys.insert(&new).await.unwrap();
    keys.insert_first(&key(fixture, AccountId::OPERATOR)).await.unwrap();
    keys.by_id(new.id).await.unwrap().unwrap();
    for owner in [None, Some(new.owner)] {
        for after in [None, Some(KeyCursor::of(&new))] {
            keys.list(owner, after, 10).await.unwrap();
        }
    }
    keys.rotate(new.id, new.digest, now.plus(DAY)).await.unwrap();
    keys.touch(&[(new.id, now)]).await.unwrap();
    keys.revoke(new.id, now).await.unwrap();
    keys.server_secret([7; 32]).await.unwrap();
}

async fn accounts(fixture: &Fixture, round: u32) {
    let (accounts, now) = (&fixture.stores.accounts, fixture.clock.now());
    let new = account(fixture, &slug("one", round));
    accounts.insert(&new).await.unwrap();
    accounts.by_id(new.id).await.unwrap().unwrap();
    accounts.by_email(&new.email).await.unwrap().unwrap();
    for after in [None, Some(AccountCursor::of(&new))] {
        accounts.list(after, 10).await.unwrap();
    }
    let [first, second] = [(); 2].map(|()| session(fixture, new.id));
    for session in [&first, &second] {
        accounts.open_session(session, &hash("first"), 10).await.unwrap();
        accounts.session(session.id).await.unwrap().unwrap();
    }
    accounts.sessions(new.id).await.unwrap();
    accounts.touch(&[SessionUse { id: first.id, at: now.plus(DAY), expires_at: now.plus(DAY) }]).await.unwrap();
    accounts.end_session(new.id, second.id).await.unwrap();
    accounts.set_role(new.id, Role::Viewer).await.unwrap();
    accounts.rehash(new.id, &hash("first"), &hash("again")).await.unwrap();
    accounts.set_password(new.id, &hash("second"), Some(first.id)).await.unwrap();
    let ticket = ticket(&new);
    accounts.issue_ticket(new.id, ticket, now.plus(DAY)).await.unwrap();
    assert!(accounts.redeem(new.id, ticket, &hash("third"), now).await.unwrap());
    accounts.set_disabled(new.id, Some(now)).await.unwrap();
    accounts.delete(new.id, now).await.unwrap();
}

async fn logs(fixture: &Fixture) {
    let (audit, now) = (&fixture.stores.audit, fixture.clock.now());
    let entry = AuditEntry {
        id: SystemEntropy.audit_id(now),
        at: now,
        author: Author::of(AccountId::OPERATOR),
        action: Action::LinkCreated,
        object: ObjectId::from(SystemEntropy.link_id(now)),
        certain: true,
        detail: None,
    };
    audit.append(std::slice::from_ref(&entry)).await.unwrap();
    for account in [None, Some(entry.author.account)] {
        for object in [None, Some(entry.object.clone())] {
            for before in [None, Some(entry.id)] {
                audit.list(&AuditFilter { account, object: object.clone() }, before, 10).await.unwrap();
            }
        }
    }

    let changes = &fixture.stores.changes;
    let head = changes.head().await.unwrap();
    fixture.stores.keys.insert(&key(fixture, AccountId::OPERATOR)).await.unwrap();
    let Changes::Some { changes: told, .. } = changes.since(head, 100).await.unwrap() else { panic!("a few changes") };
    assert!(matches!(told[..], [Change::ApiKey(_)]), "{told:?}");
    changes.trim(now.minus(2 * DAY)).await.unwrap();
}
