//! Links with a password.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

use std::sync::Arc;

use boltlink_core::{
    Actor, Domain, FakeClock, Field, LinkEdit, LinkPassword, NewLink, Outcome, Pass, PasswordHash, Purpose, Shortener,
    StoredLink, TargetRules, TargetUrl, Unlocked, Visit,
};

async fn shortener() -> (Shortener, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let builder = Shortener::builder().clock(clock.clone()).hash_cost("m=64,t=1,p=1".parse().unwrap());
    (builder.build().await.unwrap(), clock)
}

async fn hash(shortener: &Shortener, password: &str) -> PasswordHash {
    let password: LinkPassword = password.parse().unwrap();
    shortener.hash_link_password(&Actor::OPERATOR, &password, None).await.unwrap()
}

async fn protected(shortener: &Shortener, change: impl FnOnce(NewLink) -> NewLink) -> StoredLink {
    let target = TargetUrl::parse("https://example.com/", &TargetRules::default()).unwrap();
    let password = Some(hash(shortener, "sesame").await);
    shortener.create(&Actor::OPERATOR, change(NewLink { password, ..NewLink::to(target) })).await.unwrap()
}

async fn opened(shortener: &Shortener, visit: &Visit<'_>) -> Pass {
    match shortener.unlock(visit, "sesame").await.unwrap() {
        Unlocked::Open(Outcome::Redirect(_), pass) => pass,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_visit_counts_once_the_password_is_known() {
    let (shortener, clock) = shortener().await;
    let link = protected(&shortener, |new| new).await;
    let domain = Domain::default_domain();
    let visit = Visit::new(&domain, link.link.slug.as_str());
    assert_eq!(shortener.visit(&visit).await.unwrap(), Outcome::PasswordRequired);
    assert_eq!(shortener.try_visit(&visit), Some(Outcome::PasswordRequired), "known without waiting");
    assert_eq!(shortener.unlock(&visit, "Sesame").await.unwrap(), Unlocked::Wrong);
    assert_eq!(shortener.unlock(&visit, "").await.unwrap(), Unlocked::Wrong);
    assert_eq!(shortener.try_visit(&Visit { pass: Some("pass"), ..visit }), Some(Outcome::PasswordRequired));

    let pass = opened(&shortener, &visit).await;
    let visit = Visit { pass: Some(pass.reveal()), ..visit };
    assert!(matches!(shortener.try_visit(&visit), Some(Outcome::Redirect(_))));
    let peek = Visit { purpose: Purpose::Peek, ..visit };
    assert!(matches!(shortener.visit(&peek).await.unwrap(), Outcome::Redirect(_)));
    clock.advance(Pass::LIFETIME);
    assert_eq!(shortener.try_visit(&visit), Some(Outcome::PasswordRequired), "the pass is over");
    shortener.shutdown().await;
    assert_eq!(shortener.find(&Actor::OPERATOR, link.link.id).await.unwrap().clicks, 2);
}

#[tokio::test]
async fn a_pass_opens_nothing_once_the_password_is_another() {
    let (shortener, _) = shortener().await;
    let (link, other) = (protected(&shortener, |new| new).await, protected(&shortener, |new| new).await);
    let domain = Domain::default_domain();
    let visit = Visit::new(&domain, link.link.slug.as_str());
    let pass = opened(&shortener, &visit).await;
    let visit = Visit { pass: Some(pass.reveal()), ..visit };
    let elsewhere = Visit { slug: other.link.slug.as_str(), ..visit };
    assert_eq!(shortener.visit(&elsewhere).await.unwrap(), Outcome::PasswordRequired);

    let edit = async |password| {
        let edit = LinkEdit { password, ..LinkEdit::default() };
        shortener.edit(&Actor::OPERATOR, link.link.id, edit, None).await.unwrap();
    };
    // The same word with another salt is another password, too.
    edit(Field::Set(hash(&shortener, "sesame").await)).await;
    assert_eq!(shortener.visit(&visit).await.unwrap(), Outcome::PasswordRequired);
    edit(Field::Clear).await;
    assert!(matches!(shortener.visit(&Visit { pass: None, ..visit }).await.unwrap(), Outcome::Redirect(_)));
    assert_eq!(shortener.unlock(&visit, "sesame").await.unwrap(), Unlocked::Unprotected);
}

#[tokio::test]
async fn a_password_opens_no_link_that_is_closed() {
    let (shortener, _) = shortener().await;
    let domain = Domain::default_domain();
    let capped = protected(&shortener, |new| NewLink { max_visits: Some(1.try_into().unwrap()), ..new }).await;
    let visit = Visit::new(&domain, capped.link.slug.as_str());
    assert_eq!(shortener.unlock(&visit, "wrong").await.unwrap(), Unlocked::Wrong);
    let pass = opened(&shortener, &visit).await;
    let again = Visit { pass: Some(pass.reveal()), ..visit };
    assert_eq!(
        shortener.visit(&again).await.unwrap(),
        Outcome::Exhausted,
        "the wrong one took none, the right one did"
    );
    assert_eq!(shortener.unlock(&visit, "sesame").await.unwrap(), Unlocked::Closed(Outcome::Exhausted));

    let off = protected(&shortener, |new| NewLink { enabled: false, ..new }).await;
    let visit = Visit { slug: off.link.slug.as_str(), ..visit };
    assert_eq!(shortener.unlock(&visit, "sesame").await.unwrap(), Unlocked::Closed(Outcome::Disabled));
    let visit = Visit { slug: "nothing-here", ..visit };
    assert_eq!(shortener.unlock(&visit, "sesame").await.unwrap(), Unlocked::Closed(Outcome::NotFound));
}

#[tokio::test]
async fn no_browser_keeps_the_redirect_of_a_link_with_a_password() {
    let (shortener, _) = shortener().await;
    let link = protected(&shortener, |new| NewLink { redirect: 301.try_into().unwrap(), ..new }).await;
    let domain = Domain::default_domain();
    match shortener.unlock(&Visit::new(&domain, link.link.slug.as_str()), "sesame").await.unwrap() {
        Unlocked::Open(Outcome::Redirect(redirect), _) => assert!(!redirect.cacheable),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_repeated_creation_hashes_alike() {
    let (shortener, _) = shortener().await;
    let password: LinkPassword = "sesame".parse().unwrap();
    let once = async |key: &str| {
        let key = key.parse().unwrap();
        shortener.hash_link_password(&Actor::OPERATOR, &password, Some(&key)).await.unwrap()
    };
    assert_eq!(once("a").await, once("a").await);
    assert_ne!(once("a").await, once("b").await);
    assert_ne!(hash(&shortener, "sesame").await, hash(&shortener, "sesame").await);
}
