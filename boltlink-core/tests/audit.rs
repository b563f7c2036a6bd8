//! The audit log: what is in it, and what becomes of it when a store goes away.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use boltlink_core::{
    AccountId, Action, Actor, ApiKey, ApiKeyId, AuditEntry, AuditId, Author, Error, LinkEdit, NewKey, NewLink,
    ObjectId, Orphans, Password, Role, Scopes, Shortener, StoreError, Stores, SystemClock, TargetRules, TargetUrl,
    Timestamp, TokenDigest,
    store::{AuditFilter, AuditStore, KeyCursor, KeyStore},
};

/// A store of audit entries and of keys that is away while told so, or does what it is asked and never says so, or never
/// answers, or late.
struct Faulty {
    stores: Stores,
    away: AtomicBool,
    deaf: AtomicBool,
    hung: AtomicBool,
    slow: AtomicBool,
}

impl Faulty {
    fn new() -> (Arc<Self>, Stores) {
        let stores = Stores::in_memory(Arc::new(SystemClock));
        let [away, deaf, hung, slow] = [false; 4].map(AtomicBool::new);
        let faulty = Arc::new(Self { stores: stores.clone(), away, deaf, hung, slow });
        (faulty.clone(), Stores { audit: faulty.clone(), keys: faulty, ..stores })
    }

    fn set(flag: &AtomicBool, on: bool) {
        flag.store(on, Ordering::SeqCst);
    }
}

#[async_trait]
impl AuditStore for Faulty {
    async fn append(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("away"));
        }
        if self.hung.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.stores.audit.append(entries).await
    }

    async fn list(
        &self,
        filter: &AuditFilter,
        before: Option<AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.stores.audit.list(filter, before, limit).await
    }
}

#[async_trait]
impl KeyStore for Faulty {
    async fn insert(&self, key: &ApiKey) -> Result<(), StoreError> {
        // Long enough for whoever asked to have gone.
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.stores.keys.insert(key).await?;
        if self.deaf.load(Ordering::SeqCst) { Err(StoreError::unavailable("the reply was lost")) } else { Ok(()) }
    }

    async fn insert_first(&self, key: &ApiKey) -> Result<bool, StoreError> {
        self.stores.keys.insert_first(key).await
    }

    async fn by_id(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        self.stores.keys.by_id(id).await
    }

    async fn list(
        &self,
        owner: Option<AccountId>,
        after: Option<KeyCursor>,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError> {
        self.stores.keys.list(owner, after, limit).await
    }

    async fn rotate(&self, id: ApiKeyId, digest: TokenDigest, until: Timestamp) -> Result<(), StoreError> {
        self.stores.keys.rotate(id, digest, until).await
    }

    async fn revoke(&self, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
        self.stores.keys.revoke(id, at).await
    }

    async fn touch(&self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError> {
        self.stores.keys.touch(uses).await
    }

    async fn server_secret(&self, candidate: [u8; 32]) -> Result<[u8; 32], StoreError> {
        self.stores.keys.server_secret(candidate).await
    }
}

async fn shortener(stores: Stores) -> Shortener {
    Shortener::builder().stores(stores).hash_cost("m=64,t=1,p=1".parse().unwrap()).build().await.unwrap()
}

fn new_link() -> NewLink {
    NewLink::to(TargetUrl::parse("https://example.com/", &TargetRules::default()).unwrap())
}

fn new_key() -> NewKey {
    NewKey::new("key".parse().unwrap(), Scopes::MEMBER)
}

/// What the log says, oldest first.
async fn entries(shortener: &Shortener) -> Vec<AuditEntry> {
    let listing = shortener.audit(&Actor::OPERATOR, &AuditFilter::default(), None, 100).await.unwrap();
    let mut entries = listing.entries;
    entries.sort_by_key(|entry| entry.at);
    entries
}

/// What was done, by whom, to what, and what else is said.
fn told(entry: &AuditEntry) -> (Action, Author, String, String) {
    let detail = entry.detail.as_ref().map(ToString::to_string).unwrap_or_default();
    (entry.action, entry.author, entry.object.as_str().to_owned(), detail)
}

#[tokio::test]
async fn who_does_something_is_noted_with_what_it_was() {
    let shortener = shortener(Stores::in_memory(Arc::new(SystemClock))).await;
    let operator = Author::from(&Actor::OPERATOR);
    let mut expected = Vec::new();
    let mut did = |action, author: Author, object: ObjectId, detail: &str| {
        expected.push((action, author, object.as_str().to_owned(), detail.to_owned()));
    };
    let (key, _) = shortener.create_key(&Actor::OPERATOR, new_key()).await.unwrap();
    did(Action::KeyCreated, operator, key.id.into(), "links:read links:write analytics:read");
    let (member, by_key) = {
        let actor = Actor::new(AccountId::OPERATOR, Scopes::MEMBER).by_key(key.id, None);
        (actor.clone(), Author::from(&actor))
    };
    assert_eq!(by_key, Author { key: Some(key.id), ..operator });
    let slug = |slug: &str| NewLink { slug: Some(slug.parse().unwrap()), ..new_link() };
    let link = shortener.create(&member, slug("one")).await.unwrap().link;
    did(Action::LinkCreated, by_key, link.id.into(), &format!("{}/one", link.domain));
    let many = shortener.create_many(&member, vec![slug("one"), slug("two")]).await.unwrap();
    let two = many[1].as_ref().unwrap().link.clone();
    assert!(matches!(many[0], Err(Error::SlugTaken)));
    did(Action::LinkCreated, by_key, two.id.into(), &format!("{}/two", link.domain));
    let edit = LinkEdit { enabled: Some(false), tags: Some(boltlink_core::Tags::default()), ..LinkEdit::default() };
    shortener.edit(&member, link.id, edit.clone(), None).await.unwrap();
    did(Action::LinkEdited, by_key, link.id.into(), "tags enabled");
    assert!(matches!(shortener.edit(&member, link.id, edit, Some(1)).await, Err(Error::Stale { .. })));
    shortener.delete(&member, link.id, None).await.unwrap();
    did(Action::LinkDeleted, by_key, link.id.into(), &format!("{}/one", link.domain));
    assert!(matches!(shortener.delete(&member, link.id, None).await, Err(Error::NotFound { .. })));
    shortener.rotate_key(&Actor::OPERATOR, key.id, Duration::ZERO).await.unwrap();
    did(Action::KeyRotated, operator, key.id.into(), "");
    shortener.revoke_key(&Actor::OPERATOR, key.id).await.unwrap();
    did(Action::KeyRevoked, operator, key.id.into(), "");

    let email: boltlink_core::Email = "ada@example.com".parse().unwrap();
    let password: Password = "correct horse battery staple".parse().unwrap();
    let (ada, ticket) = shortener.invite(&Actor::OPERATOR, email.clone(), Role::Editor).await.unwrap();
    did(Action::AccountInvited, operator, ada.id.into(), "editor");
    shortener.redeem_ticket(&ticket, &password).await.unwrap();
    did(Action::AccountPassword, Author::of(ada.id), ada.id.into(), "by a ticket");
    assert!(matches!(shortener.redeem_ticket(&ticket, &password).await, Err(Error::Ticket)));
    assert!(matches!(shortener.login(&email, "wrong", None).await, Err(Error::Credentials)));
    let login = shortener.login(&email, password.reveal(), None).await.unwrap();
    did(Action::SessionOpened, Author::of(ada.id), login.session.id.into(), "");
    let actor = Actor::new(ada.id, Scopes::MEMBER).by_session(login.session.id);
    let in_session = Author::from(&actor);
    assert_eq!(in_session.session, Some(login.session.id));
    shortener.change_password(&actor, password.reveal(), &password).await.unwrap();
    did(Action::AccountPassword, in_session, ada.id.into(), "");
    let hers = shortener.create(&actor, slug("hers")).await.unwrap().link;
    did(Action::LinkCreated, in_session, hers.id.into(), &format!("{}/hers", hers.domain));
    shortener.edit_account(&Actor::OPERATOR, ada.id, Some(Role::Viewer), Some(false)).await.unwrap();
    did(Action::AccountEdited, operator, ada.id.into(), "viewer");
    did(Action::AccountEdited, operator, ada.id.into(), "enabled");
    shortener.reset_password(&Actor::OPERATOR, ada.id).await.unwrap();
    did(Action::AccountTicket, operator, ada.id.into(), "");
    shortener.delete_account(&actor, ada.id, Orphans::Delete).await.unwrap();
    did(Action::LinkDeleted, in_session, hers.id.into(), &format!("{}/hers", hers.domain));
    did(Action::AccountDeleted, in_session, ada.id.into(), "");
    let ben = shortener.register("ben@example.com".parse().unwrap(), &password).await.unwrap();
    did(Action::AccountRegistered, Author::of(ben.id), ben.id.into(), "editor");

    let entries = entries(&shortener).await;
    assert_eq!(entries.iter().map(told).collect::<Vec<_>>(), expected);
    assert!(entries.iter().all(|entry| entry.certain));
    for actor in [
        member,
        Actor::OPERATOR
            .within(boltlink_core::Bounds { domains: vec!["a.example".parse().unwrap()], networks: Vec::new() }),
    ] {
        assert!(shortener.audit(&actor, &AuditFilter::default(), None, 1).await.is_err(), "{actor:?}");
    }
}

#[tokio::test]
async fn what_is_done_after_the_end_is_noted_too() {
    let shortener = shortener(Stores::in_memory(Arc::new(SystemClock))).await;
    shortener.shutdown().await;
    shortener.create(&Actor::OPERATOR, new_link()).await.unwrap();
    assert_eq!(entries(&shortener).await.len(), 1);
}

/// One that makes a key, for which nobody waits.
async fn hung_up() -> Shortener {
    let (_, stores) = Faulty::new();
    let shortener = shortener(stores).await;
    let operator = Actor::OPERATOR;
    let call = shortener.create_key(&operator, new_key());
    assert!(tokio::time::timeout(Duration::from_millis(5), call).await.is_err(), "nobody waits for it");
    shortener
}

#[tokio::test]
async fn whoever_hangs_up_is_noted_too() {
    let shortener = hung_up().await;
    while entries(&shortener).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let keys = shortener.list_keys(&Actor::OPERATOR, None, 9).await.unwrap().keys;
    assert_eq!(entries(&shortener).await[0].object, ObjectId::from(keys[0].id));
}

#[tokio::test]
async fn what_nobody_waits_for_is_noted_before_the_end() {
    let shortener = hung_up().await;
    shortener.shutdown().await;
    assert_eq!(entries(&shortener).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_away_does_not_keep_the_end_waiting() {
    let (faulty, stores) = Faulty::new();
    let shortener = shortener(stores).await;
    Faulty::set(&faulty.hung, true);
    shortener.create(&Actor::OPERATOR, new_link()).await.unwrap();
    let begin = tokio::time::Instant::now();
    shortener.shutdown().await;
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert_eq!(entries(&shortener).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_back_gets_all_before_the_end() {
    let (faulty, stores) = Faulty::new();
    let shortener = shortener(stores).await;
    Faulty::set(&faulty.away, true);
    for _ in 0..20 {
        let creations: Vec<_> = (0..200)
            .map(|_| {
                let shortener = shortener.clone();
                tokio::spawn(async move { shortener.create(&Actor::OPERATOR, new_link()).await })
            })
            .collect();
        for creation in creations {
            creation.await.unwrap().unwrap();
        }
    }
    Faulty::set(&faulty.away, false);
    // Longer than the end waits for one that takes nothing.
    Faulty::set(&faulty.slow, true);
    shortener.shutdown().await;
    let noted = shortener.audit(&Actor::OPERATOR, &AuditFilter::default(), None, 20_000).await.unwrap().entries;
    assert_eq!(noted.len(), 4_000);
}

#[tokio::test]
async fn what_may_have_been_done_is_noted_as_that() {
    let (faulty, stores) = Faulty::new();
    let shortener = shortener(stores).await;
    Faulty::set(&faulty.deaf, true);
    let error = shortener.create_key(&Actor::OPERATOR, new_key()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    shortener.shutdown().await;
    let entries = entries(&shortener).await;
    assert_eq!(
        entries.iter().map(|entry| (entry.action, entry.certain)).collect::<Vec<_>>(),
        [(Action::KeyCreated, false)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_away_gets_it_all_later_and_nothing_is_done_that_could_not_be_noted() {
    let (faulty, stores) = Faulty::new();
    let shortener = shortener(stores).await;
    Faulty::set(&faulty.away, true);
    let creations: Vec<_> = (0..10_050)
        .map(|_| {
            let shortener = shortener.clone();
            tokio::spawn(async move { shortener.create(&Actor::OPERATOR, new_link()).await })
        })
        .collect();
    let mut made = Vec::new();
    let mut refused = 0;
    for creation in creations {
        match creation.await.unwrap() {
            Ok(link) => made.push(ObjectId::from(link.link.id)),
            Err(Error::Busy { .. }) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!((made.len(), refused), (10_000, 50));
    assert_eq!(
        shortener
            .list(&Actor::OPERATOR, Default::default(), Default::default(), None, 20_000)
            .await
            .unwrap()
            .links
            .len(),
        made.len()
    );
    assert_eq!(entries(&shortener).await, []);

    Faulty::set(&faulty.away, false);
    tokio::time::sleep(Duration::from_secs(60)).await;
    shortener.create(&Actor::OPERATOR, new_link()).await.unwrap();
    let noted = shortener.audit(&Actor::OPERATOR, &AuditFilter::default(), None, 20_000).await.unwrap().entries;
    assert_eq!(noted.len(), made.len() + 1);
    assert!(made.iter().all(|link| noted.iter().any(|entry| entry.object == *link)));
}
