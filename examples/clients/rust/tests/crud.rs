//! The generated client, against a server in this process over a real socket.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

use std::{fmt::Debug, future::pending, net::SocketAddr, sync::Arc};

use boltlink_client::{Client, Error, connect, types::Problem};
use boltlink_core::{Shortener, Stores, SystemClock};
use boltlink_server::ServerOptions;
use tokio::net::TcpListener;
use uuid::Uuid;

/// Starts a server for one test, which ends with the test's runtime; returns where it is and a key.
async fn start() -> (SocketAddr, String) {
    let shortener = Shortener::builder().stores(Stores::in_memory(Arc::new(SystemClock)));
    let shortener = shortener.build().await.unwrap();
    let (_, key) = shortener.first_key("first".parse().unwrap(), None).await.unwrap().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(boltlink_server::run(listener, shortener, ServerOptions::default(), pending()));
    (address, key.reveal())
}

async fn client() -> Client {
    let (address, key) = start().await;
    connect(&format!("http://{address}"), &key).unwrap()
}

/// The problem that a refusal tells; it must come with this status.
#[track_caller]
fn problem<T: Debug>(answer: Result<T, Error<Problem>>, status: u16) -> Problem {
    match answer.unwrap_err() {
        Error::ErrorResponse(refusal) => {
            assert_eq!(refusal.status().as_u16(), status);
            let problem = refusal.into_inner();
            assert_eq!(problem.status, status);
            problem
        }
        other => panic!("no refusal that the document describes: {other}"),
    }
}

#[tokio::test]
async fn makes_reads_lists_changes_and_deletes() {
    let client = client().await;
    let made = client
        .create_link()
        .body_map(|link| link.target("https://example.com/a").title(Some("First".parse().unwrap())))
        .send()
        .await
        .unwrap();
    assert_eq!((made.status().as_u16(), made.version, made.clicks), (201, 1, 0));
    assert_eq!(made.title.as_deref(), Some("First"));
    let (id, tag) = (made.id, made.headers()["etag"].to_str().unwrap());

    let read = client.read_link().id(id).send().await.unwrap();
    assert_eq!((read.slug.as_str(), read.created_at), (made.slug.as_str(), made.created_at));

    let page = client.list_links().limit(10).send().await.unwrap();
    assert_eq!(page.items.iter().map(|link| link.id).collect::<Vec<_>>(), [made.id]);
    assert_eq!(page.next_cursor, None);

    let target = "https://example.com/b";
    let edited = client.edit_link().id(id).if_match(tag).body_map(|link| link.target(Some(target.parse().unwrap())));
    let edited = edited.send().await.unwrap();
    assert_eq!((edited.target.as_str(), edited.version), (target, 2));
    assert_eq!(edited.title.as_deref(), Some("First"));

    assert_eq!(client.delete_link().id(id).send().await.unwrap().status().as_u16(), 204);
    assert!(client.list_links().send().await.unwrap().items.is_empty());
}

#[tokio::test]
async fn pages_are_walked_by_cursor() {
    let client = client().await;
    for _ in 0..5 {
        client.create_link().body_map(|link| link.target("https://example.com/")).send().await.unwrap();
    }
    let first = client.list_links().limit(3).send().await.unwrap();
    let rest = client.list_links().limit(3).cursor(first.next_cursor.as_deref().unwrap()).send().await.unwrap();
    assert_eq!((first.items.len(), rest.items.len(), rest.next_cursor.as_ref()), (3, 2, None));
}

#[tokio::test]
async fn refusals_arrive_as_problems() {
    let client = client().await;
    let create = |slug: &str, target: &str| {
        let slug = slug.parse().unwrap();
        client.create_link().body_map(|link| link.target(target).slug(Some(slug))).send()
    };

    let missing = problem(client.read_link().id(Uuid::nil()).send().await, 404);
    assert_eq!(missing.code, "link-not-found");

    create("taken", "https://example.com/").await.unwrap();
    let taken = problem(create("taken", "https://example.com/").await, 409);
    assert_eq!(taken.code, "slug-taken");
    assert_eq!(taken.errors[0].pointer.as_deref(), Some("/slug"));

    let invalid = problem(create("free", "https://user:secret@example.com/").await, 422);
    assert_eq!(invalid.type_, "urn:boltlink:problem:invalid");
    assert_eq!(invalid.errors[0].pointer.as_deref(), Some("/target"));
}

#[tokio::test]
async fn a_wrong_key_is_a_problem_too() {
    let (address, _) = start().await;
    let stranger = connect(&format!("http://{address}"), "blt_wrong").unwrap();
    assert_eq!(problem(stranger.list_links().send().await, 401).code, "unauthorized");
}
