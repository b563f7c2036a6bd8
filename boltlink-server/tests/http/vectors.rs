//! The URL standard's test data as targets: see `urltestdata.LICENSE.md`.

use boltlink_testkit::Connection;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::support::{Server, pointers, send};

/// The inputs of all vectors. Those that are meant to be resolved against a base are tried without one.
fn inputs() -> Vec<String> {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("urltestdata.json")).unwrap();
    vectors.iter().filter_map(|vector| vector["input"].as_str().map(str::to_owned)).collect()
}

/// What a target of this text is normalised to; `None` if it must be refused.
fn expected(input: &str) -> Option<String> {
    let url = Url::parse(input).ok().filter(|url| ["http", "https"].contains(&url.scheme()))?;
    let open = url.username().is_empty() && url.password().is_none();
    (open && !input.chars().any(char::is_control) && !input.is_empty()).then(|| url.into())
}

#[tokio::test]
async fn every_url_is_refused_or_led_to_as_the_standard_normalises_it() {
    let server = Server::start().await;
    let client = server.client();
    let mut visitor = Connection::open(server.address).await.unwrap();
    let inputs = inputs();
    assert!(inputs.len() > 500, "{} vectors", inputs.len());
    let mut accepted = 0;
    for chunk in inputs.chunks(250) {
        let links: Value = chunk.iter().map(|input| json!({ "target": input })).collect();
        let reply = send(&client, Method::POST, "/api/v1/links/bulk", &json!({ "links": links })).await;
        let reply = reply.expect(200).unwrap();
        for (index, (input, result)) in chunk.iter().zip(reply["results"].as_array().unwrap()).enumerate() {
            let Some(target) = expected(input) else {
                assert_eq!(result["status"], 422, "{input:?}: {result}");
                assert_eq!(pointers(&result["problem"]), [format!("/links/{index}/target")], "{input:?}");
                continue;
            };
            assert_eq!(result["status"], 201, "{input:?}: {result}");
            assert_eq!(result["link"]["target"], target, "{input:?}");
            let answer = visitor.get(&format!("/{}", result["link"]["slug"].as_str().unwrap()), &[]).await.unwrap();
            assert_eq!((answer.status, answer.header("location")), (302, Some(&*target)), "{input:?}");
            accepted += 1;
        }
    }
    assert!(accepted > 100, "only {accepted} targets were accepted");
}

#[tokio::test]
async fn a_forwarding_link_to_any_url_keeps_its_origin() {
    let server = Server::start().await;
    let client = server.client();
    let mut visitor = Connection::open(server.address).await.unwrap();
    let targets: Vec<_> = inputs().iter().filter_map(|input| expected(input)).collect();
    for chunk in targets.chunks(250) {
        let link = |target: &String| json!({ "target": target, "forward_query": true, "forward_path": true });
        let body = json!({ "links": chunk.iter().map(link).collect::<Value>() });
        let reply = send(&client, Method::POST, "/api/v1/links/bulk", &body).await.expect(200).unwrap();
        for (target, result) in chunk.iter().zip(reply["results"].as_array().unwrap()) {
            let slug = result["link"]["slug"].as_str().unwrap();
            for rest in ["", "//evil.example/@x?y=//z", "?@evil.example"] {
                let answer = visitor.get(&format!("/{slug}{rest}"), &[]).await.unwrap();
                let location = Url::parse(answer.header("location").unwrap()).unwrap();
                let target = Url::parse(target).unwrap();
                assert_eq!(location.origin(), target.origin(), "{target} {rest}");
                assert_eq!(location.fragment(), target.fragment(), "{target} {rest}");
                assert!(rest.is_empty() == (location == target), "{target} {rest}");
            }
        }
    }
}

#[tokio::test]
async fn text_that_json_cannot_carry_is_malformed() {
    let server = Server::start().await;
    let client = server.client();
    for surrogate in [r"\ud800", r"\udfff", r"\udc00\ud800"] {
        let body = format!("{{\"target\": \"https://example.com/{surrogate}\"}}");
        let request =
            client.request(Method::POST, "/api/v1/links").header("Content-Type", "application/json").body(body);
        assert_eq!(client.send(request).await.unwrap().status, 400, "{surrogate}");
    }
}
