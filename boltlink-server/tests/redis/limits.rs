//! Limits that nodes share.

use boltlink_testkit::{Client, Load, Persistence, Server};
use reqwest::Method;
use serde_json::json;

use crate::{
    nodes::example,
    place::{OwnRedis, Place},
    until,
};

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_share_the_limits() {
    let place = Place::new().await;
    let node = || {
        let node = place.server().env("BOLTLINK_NODES", "2").env("BOLTLINK_LIMIT_API", "200/h");
        node.env("BOLTLINK_LIMIT_LINK", "200/h").env("BOLTLINK_LIMIT_ADDRESS", "300/h")
    };
    let first = node().start().await.unwrap();
    let second = node().env("BOLTLINK_INITIAL_API_KEY", first.key()).start().await.unwrap();
    for slug in ["one", "two"] {
        first.client().make(&example(slug)).await.unwrap();
    }
    let visit = async |slug: &str| {
        let load = |node: &Server| Load::new(node.address(), [slug]).connections(2).requests(300).start();
        let (first, second) = tokio::join!(load(&first).finish(), load(&second).finish());
        assert_eq!(first.answered_with(302) + first.answered_with(429), 300);
        first.answered_with(302) + second.answered_with(302)
    };
    // All of the quota but for what a node has fetched ahead and not spent; never more, as leases are taken from it. Of
    // an hour some seconds pass meanwhile, which give back one in eighteen seconds.
    let admitted = visit("/one").await;
    assert!((180..=215).contains(&admitted), "{admitted} visits of a link that may have 200");
    // The address has used up its own on visits that the link refused, too.
    let rest = visit("/two").await;
    assert!(rest <= 15, "{rest} visits from an address that had 600, of 300");

    let mut asked = 0;
    for node in [&first, &second].into_iter().cycle().take(440) {
        asked += u32::from(node.client().get("/api/v1/links").await.unwrap().status == 200);
    }
    // Two links were made with the key.
    assert!((170..=215).contains(&asked), "{asked} requests of a key that may make 200");
}

/// Two nodes behind a proxy that says from whom requests come, where passwords may be guessed a few times an hour.
async fn guessed(node: impl Fn() -> boltlink_testkit::Builder) -> (Server, Server) {
    let node = || {
        let node = node().env("BOLTLINK_NODES", "2").env("BOLTLINK_TRUSTED_PROXIES", "127.0.0.0/8");
        let node = node.env("BOLTLINK_LIMIT_LOGIN_ACCOUNT", "10/h").env("BOLTLINK_LIMIT_LOGIN_ADDRESS", "20/h");
        let node = node.env("BOLTLINK_LIMIT_PASSWORD", "8/h").env("BOLTLINK_LIMIT_PASSWORD_LINK", "30/h");
        node.env("BOLTLINK_LIMIT_PASSWORD_SET", "12/h").env("BOLTLINK_PASSWORD_COST", "m=64,t=1,p=1")
    };
    let first = node().start().await.unwrap();
    let second = node().env("BOLTLINK_INITIAL_API_KEY", first.key()).start().await.unwrap();
    (first, second)
}

/// How many of forty guesses, on the nodes in turn, were looked at: the others were refused for being too many.
async fn looked_at(nodes: [&Server; 2], guess: impl AsyncFn(&Client, usize) -> u16, wrong: u16) -> u32 {
    let mut looked_at = 0;
    for (number, node) in nodes.into_iter().cycle().take(40).enumerate() {
        match guess(&node.client(), number).await {
            429 => {}
            status => {
                assert_eq!(status, wrong);
                looked_at += 1;
            }
        }
    }
    looked_at
}

/// Logs in with a wrong password, from this address.
async fn log_in(client: &Client, email: String, from: String) -> u16 {
    let body = json!({ "email": email, "password": "correct horse battery staple" });
    let request = client.request(Method::POST, "/api/v1/session").header("X-Forwarded-For", from).json(&body);
    client.send(request).await.unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_share_the_limits_of_guessing() {
    let place = Place::new().await;
    let (first, second) = guessed(|| place.server()).await;
    let nodes = [&first, &second];
    let one_account =
        async |client: &Client, number| log_in(client, "ada@example.com".into(), format!("10.0.0.{number}")).await;
    assert_eq!(looked_at(nodes, one_account, 401).await, 10);
    let one_address =
        async |client: &Client, number| log_in(client, format!("{number}@example.com"), "192.0.2.1".into()).await;
    assert_eq!(looked_at(nodes, one_address, 401).await, 20);

    let mut link = example("locked");
    link["password"] = "sesame".into();
    first.client().make(&link).await.unwrap();
    let unlock = async |client: &Client, from: String| {
        let request = client.request(Method::POST, "/locked").header("X-Forwarded-For", from);
        client.send(request.form(&[("password", "guess")])).await.unwrap().status
    };
    let one_link = async |client: &Client, _| unlock(client, "192.0.2.2".into()).await;
    assert_eq!(looked_at(nodes, one_link, 403).await, 8);
    assert_eq!(unlock(&first.client(), "192.0.2.3".into()).await, 403, "others may still try");
    // From everywhere: nine were before.
    let everywhere = async |client: &Client, number| unlock(client, format!("198.51.100.{number}")).await;
    assert_eq!(looked_at(nodes, everywhere, 403).await, 21);
    // Set by one account: one was before.
    let set = async |client: &Client, number| {
        let mut link = example(&format!("set-{number}"));
        link["password"] = "sesame".into();
        client.create(&link).await.unwrap().status
    };
    assert_eq!(looked_at(nodes, set, 201).await, 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_learns_nobodys_address() {
    let place = OwnRedis::new(Persistence::None).await;
    let node = place.server().env("BOLTLINK_TRUSTED_PROXIES", "127.0.0.0/8").env("BOLTLINK_LIMIT_ADDRESS", "100/h");
    let node = node.env("BOLTLINK_PASSWORD_COST", "m=64,t=1,p=1").env("BOLTLINK_RAW_CLICKS", "0");
    let node = node.start().await.unwrap();
    let client = node.client();
    assert_eq!(log_in(&client, "ada@example.com".into(), "203.0.113.77".into()).await, 401);
    let mut link = example("locked");
    link["password"] = "sesame".into();
    client.make(&link).await.unwrap();
    let unlock = client.request(Method::POST, "/locked").header("X-Forwarded-For", "203.0.113.77");
    assert_eq!(client.send(unlock.form(&[("password", "guess")])).await.unwrap().status, 403);
    let visit = client.request(Method::GET, "/locked").header("X-Forwarded-For", "203.0.113.77");
    assert_eq!(client.send(visit).await.unwrap().status, 403);
    let keys = place
        .redis
        .call(&["EVAL", "return redis.status_reply(table.concat(redis.call('KEYS', '*'), ' '))", "0"])
        .await
        .unwrap();
    for limit in ["login:", "login-from:", "password:", "unlock:", "address:"] {
        assert!(keys.contains(limit), "{limit} is not among {keys}");
    }
    for secret in ["203.0.113", "ada", "example.com"] {
        assert!(!keys.contains(secret), "{secret} is in {keys}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_guessed_while_redis_is_away() {
    let mut place = OwnRedis::new(Persistence::None).await;
    let (first, second) = guessed(|| place.server()).await;
    place.redis.kill();
    for node in [&first, &second] {
        let client = node.client();
        until("the outage shows", async || client.get("/ready").await.unwrap().text.contains("degraded")).await;
    }
    let one_account =
        async |client: &Client, number| log_in(client, "ada@example.com".into(), format!("10.0.0.{number}")).await;
    assert_eq!(looked_at([&first, &second], one_account, 401).await, 10, "each node has its half");
}
