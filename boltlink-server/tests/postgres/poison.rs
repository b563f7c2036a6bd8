//! Clicks that the database refuses: they alone wait, operators see why, and they count when the cause is mended.

use boltlink_testkit::{Database, Load, Server};
use serde_json::Value;

use crate::{nodes::example, server, until};

/// What a command beside the server prints; whether it must succeed.
fn told(node: &Server, args: &[&str], succeeds: bool) -> String {
    let output = node.command().args(args).output().unwrap();
    assert_eq!(output.status.success(), succeeds, "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_clicks_wait_alone_and_count_when_they_are_replayed() {
    let database = Database::new().await.unwrap();
    let mut node = server(database.url()).start().await.unwrap();
    let client = node.client();
    let good = client.make(&example("good")).await.unwrap();
    let bad = client.make(&example("bad")).await.unwrap();
    let poison =
        |table: &str, column: &str| format!("ALTER TABLE {table} ADD CONSTRAINT poison CHECK ({column} <> '{bad}');");
    database.execute(poison("link_total", "clicks = 0 OR link") + &poison("click", "link")).await.unwrap();

    let load = Load::new(node.address(), ["/good", "/bad", "/good"]).connections(8).requests(600).start();
    assert_eq!(load.finish().await.answered_with(302), 600);
    let total = async |id: &str| client.clicks(id).await.unwrap_or(0);
    until("the good ones count", async || total(&good).await == 400 && client.rolled_up().await.unwrap() == 400).await;
    until("the bad ones are put aside", async || {
        let listed = told(&node, &["queue", "dead", "--json"], true);
        let dead = |consumer: &str| -> u64 {
            let letters = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            letters
                .filter(|letter| letter["consumer"] == consumer)
                .map(|letter| letter["clicks"].as_u64().unwrap())
                .sum()
        };
        dead("totals") == 200 && dead("analytics") == 200
    })
    .await;
    assert_eq!((total(&good).await, total(&bad).await), (400, 0));

    // What operators are told, by either way.
    let depth = client.get("/api/v1/admin/queue").await.unwrap().expect(200).unwrap();
    let waiting = depth["consumers"][0]["dead_letters"].as_u64().unwrap();
    assert!(waiting > 0 && told(&node, &["queue", "depth"], true).contains(&waiting.to_string()), "{depth}");
    let page = client.get("/api/v1/admin/queue/dead?limit=1").await.unwrap().expect(200).unwrap();
    let letter = &page["items"][0];
    assert!(letter["reason"].as_str().unwrap().contains("poison") && letter["whole"] == false, "{letter}");
    let id = letter["id"].as_str().unwrap();
    let shown = client.get(&format!("/api/v1/admin/queue/dead/{id}")).await.unwrap().expect(200).unwrap();
    assert!(shown["items"].as_array().unwrap().iter().all(|click| click["link_id"] == bad.as_str()), "{shown}");
    assert_eq!(serde_json::from_str::<Value>(&told(&node, &["queue", "show", id], true)).unwrap(), shown);
    let replay = || client.request("POST".parse().unwrap(), &format!("/api/v1/admin/queue/dead/{id}/replay"));
    let refused = client.send(replay()).await.unwrap();
    assert!(refused.status == 409 && refused.text.contains("still-refused"), "{refused:?}");
    assert!(told(&node, &["queue", "replay", "--all"], false).contains("still refused"));

    database
        .execute("ALTER TABLE link_total DROP CONSTRAINT poison; ALTER TABLE click DROP CONSTRAINT poison")
        .await
        .unwrap();
    client.send(replay()).await.unwrap().expect(200).unwrap();
    assert_eq!(client.send(replay()).await.unwrap().status, 404, "it counts once");
    told(&node, &["queue", "replay", "--all"], true);
    assert_eq!((total(&good).await, total(&bad).await), (400, 200));
    assert_eq!(client.rolled_up().await.unwrap(), 600);
    assert!(told(&node, &["doctor", "--reconcile"], true).contains("2 links, 600 clicks: totals and rollups agree"));

    // A loss that nobody explains is told.
    node.stop().await.unwrap();
    database.execute(format!("UPDATE link_total SET clicks = clicks - 1 WHERE link = '{bad}'")).await.unwrap();
    let found = told(&node, &["doctor", "--reconcile"], false);
    assert!(found.contains(&bad) && found.contains("total 199, opening 0, rollups 200: -1"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_cannot_be_read_holds_up_no_other() {
    let database = Database::new().await.unwrap();
    let node = server(database.url()).start().await.unwrap();
    let client = node.client();
    let link = client.make(&example("good")).await.unwrap();
    database.execute("ALTER TABLE link_total ADD CONSTRAINT poison CHECK (clicks = 0)").await.unwrap();
    let dead = async || client.get("/api/v1/admin/queue/dead").await.unwrap().expect(200).unwrap()["items"].clone();
    let clicks = |letters: &Value| -> Vec<u64> {
        letters.as_array().unwrap().iter().map(|letter| letter["clicks"].as_u64().unwrap()).collect()
    };
    for followed in [5, 10] {
        Load::new(node.address(), ["/good"]).requests(5).start().finish().await;
        until("clicks are put aside", async || clicks(&dead().await).iter().sum::<u64>() == followed).await;
    }
    let letters = dead().await;
    let others: u64 = clicks(&letters)[1..].iter().sum();
    let id = letters[0]["id"].as_str().unwrap();
    let number = id.rsplit('.').next().unwrap();
    let damage = format!(
        "UPDATE quarantine SET payload = set_byte(payload, 0, 99) WHERE sequence = {number}; \
         ALTER TABLE link_total DROP CONSTRAINT poison"
    );
    database.execute(damage).await.unwrap();

    let listed = dead().await;
    assert!(listed[0]["unreadable"].as_str().unwrap().contains("version 99"), "{listed}");
    assert!(listed[0]["id"] == id && listed[0]["clicks"].is_null() && listed[0]["whole"].is_null(), "{listed}");
    assert!(listed[1]["unreadable"].is_null() && listed[1]["clicks"].is_u64(), "{listed}");
    let path = format!("/api/v1/admin/queue/dead/{id}");
    let shown = client.get(&path).await.unwrap().expect(200).unwrap();
    assert_eq!((&shown["letter"], shown["items"].as_array().unwrap().len()), (&listed[0], 0));
    assert_eq!(serde_json::from_str::<Value>(&told(&node, &["queue", "show", id], true)).unwrap(), shown);
    let replayed = client.send(client.request("POST".parse().unwrap(), &format!("{path}/replay"))).await.unwrap();
    assert_eq!(replayed.status, 409);
    assert!(replayed.text.contains("dead-letter-unreadable") && replayed.text.contains(id), "{replayed:?}");
    assert!(told(&node, &["queue", "replay", "--all"], false).contains(&format!("{id} cannot be read")));
    assert_eq!(client.clicks(&link).await.unwrap(), others);
    assert_eq!(client.send(client.request("DELETE".parse().unwrap(), &path)).await.unwrap().status, 204);
    assert_eq!(dead().await.as_array().unwrap().len(), 0);
}
