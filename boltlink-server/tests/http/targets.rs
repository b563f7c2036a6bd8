//! Where links may lead.

use std::sync::Arc;

use boltlink_core::policy::{Blocklist, PrivateTargets, TargetFilter};
use boltlink_server::ServerOptions;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, path_of, pointers, problem, send};

async fn filtered(private: PrivateTargets, blocked: &str) -> Server {
    let filter = TargetFilter::new(private);
    filter.block(Blocklist::parse(blocked).unwrap());
    Server::built(ServerOptions::default(), |stores| stores, |builder| builder.target_policy(Arc::new(filter))).await
}

fn to(target: &str) -> Value {
    json!({ "target": target })
}

#[tokio::test]
async fn private_networks_are_for_admins() {
    let server = filtered(PrivateTargets::Admins, "").await;
    let (admin, member) = (server.client(), server.member().await);
    for target in ["http://localhost:3000/", "http://169.254.169.254/latest/meta-data/", "http://[::ffff:10.0.0.1]/"] {
        let refused = problem(&member.create(&to(target)).await.unwrap(), 422);
        assert_eq!((&refused["code"], pointers(&refused)), (&json!("invalid"), vec!["/target"]), "{target}");
        admin.create(&to(target)).await.unwrap().expect(201).unwrap();
    }
    let link = member.create(&to("https://example.com/")).await.unwrap().expect(201).unwrap();
    let refused = problem(&send(&member, Method::PATCH, &path_of(&link), &to("http://10.0.0.1/")).await, 422);
    assert_eq!(pointers(&refused), ["/target"]);
    // A change of anything else is none of the target.
    send(&member, Method::PATCH, &path_of(&link), &json!({ "title": "x" })).await.expect(200).unwrap();
}

#[tokio::test]
async fn what_is_blocked_is_blocked_in_every_way() {
    let server = filtered(PrivateTargets::Everybody, "evil.example").await;
    let (client, evil) = (server.client(), "https://a.evil.example/x");
    let refused = problem(&client.create(&to(evil)).await.unwrap(), 422);
    assert!(refused["errors"][0]["detail"].as_str().unwrap().contains("evil.example"), "{refused}");
    let links = json!({ "links": [to("https://example.com/"), to(evil)] });
    let results = send(&client, Method::POST, "/api/v1/links/bulk", &links).await.expect(200).unwrap();
    assert_eq!((&results["results"][0]["status"], &results["results"][1]["status"]), (&json!(201), &json!(422)));
    assert_eq!(pointers(&results["results"][1]["problem"]), ["/links/1/target"]);
    let link = &results["results"][0]["link"];
    let patch = json!({ "ids": [link["id"]], "patch": to(evil) });
    let results = send(&client, Method::PATCH, "/api/v1/links/bulk", &patch).await.expect(200).unwrap();
    assert_eq!(results["results"][0]["status"], 422);
    let request = client.request(Method::POST, "/api/v1/links").header("Idempotency-Key", "k").json(&to(evil));
    assert_eq!(client.send(request).await.unwrap().status, 422);
    assert_eq!(client.get("/api/v1/links").await.unwrap().expect(200).unwrap()["items"].as_array().unwrap().len(), 1);
}
