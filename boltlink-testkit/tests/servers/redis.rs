//! Redis.

use boltlink_testkit::{KeySpace, Persistence, RedisServer};

#[tokio::test]
async fn two_key_spaces_are_apart() {
    let (one, other) = (KeySpace::new().await.unwrap(), KeySpace::new().await.unwrap());
    assert_eq!(one.url(), other.url());
    assert!(!one.prefix().starts_with(other.prefix()) && !other.prefix().starts_with(one.prefix()));
}

#[tokio::test]
async fn a_killed_server_has_what_its_persistence_says() {
    for (persistence, kept) in [
        (Persistence::None, "$-1"),
        (Persistence::AppendAlways, "$3"),
        (Persistence::AppendEverySecond, "$3"),
        (Persistence::Snapshot, "$-1"),
    ] {
        let mut server = RedisServer::start(persistence).await.unwrap();
        let url = server.url().to_owned();
        assert_eq!(server.call(&["SET", "slug", "old"]).await.unwrap(), "+OK");
        server.kill();
        assert!(server.call(&["PING"]).await.is_err());
        server.restart().await.unwrap();
        assert_eq!(server.url(), url);
        assert_eq!(server.call(&["GET", "slug"]).await.unwrap(), kept, "{persistence:?}");
    }
}

#[tokio::test]
async fn a_snapshot_brings_back_what_was() {
    for persistence in
        [Persistence::None, Persistence::AppendAlways, Persistence::AppendEverySecond, Persistence::Snapshot]
    {
        let mut server = RedisServer::start(persistence).await.unwrap();
        server.call(&["SET", "before", "1"]).await.unwrap();
        server.save_snapshot().await.unwrap();
        server.call(&["SET", "after", "1"]).await.unwrap();
        server.restart().await.unwrap();
        if persistence == Persistence::None {
            assert_eq!(server.call(&["DBSIZE"]).await.unwrap(), ":0");
        }
        // Twice: the copy is kept.
        for _ in 0..2 {
            server.restore_snapshot().await.unwrap();
            server.restart().await.unwrap();
            assert_eq!(server.call(&["EXISTS", "before"]).await.unwrap(), ":1", "{persistence:?}");
            assert_eq!(server.call(&["EXISTS", "after"]).await.unwrap(), ":0", "{persistence:?}");
        }
    }
}

#[tokio::test]
async fn without_a_snapshot_there_is_nothing_to_bring_back() {
    let mut server = RedisServer::start(Persistence::None).await.unwrap();
    assert!(server.restore_snapshot().await.is_err());
}

#[tokio::test]
async fn a_frozen_server_answers_when_it_thaws() {
    let server = RedisServer::start(Persistence::None).await.unwrap();
    server.freeze().unwrap();
    let (answer, ()) = tokio::join!(server.call(&["PING"]), async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        server.thaw().unwrap();
    });
    assert_eq!(answer.unwrap(), "+PONG");
}

#[tokio::test]
async fn a_refusal_is_an_error() {
    let server = RedisServer::start(Persistence::None).await.unwrap();
    let error = server.call(&["NO", "SUCH"]).await.err().unwrap().to_string();
    assert!(error.starts_with("NO SUCH: -ERR"), "{error}");
}
