//! Who may do what: every operation of the document, by every kind of caller. An operation that the document says
//! nothing about fails here.

use boltlink_core::{AccountId, Actor, NewKey, Scope, Scopes};
use boltlink_testkit::{Client, Reply};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, problem};

/// An operation as the document has it.
struct Operation {
    name: String,
    method: Method,
    path: String,
    /// `None`: anybody may call it.
    scope: Option<Scope>,
    body: Option<Value>,
}

/// A thing of somebody's, that operations are about.
struct Things {
    owner: AccountId,
    link: String,
    key: String,
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&boltlink_server::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let scope = operation.get("x-required-scope").map(|scope| scope.as_str().unwrap().parse().unwrap());
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let body = schema.as_str().map(|schema| document.pointer(&schema[1..]).unwrap()["example"].clone());
            operations.push(Operation {
                name: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                scope,
                body,
            });
        }
    }
    assert!(operations.len() > 25, "the document is read");
    operations
}

impl Operation {
    async fn call(&self, client: &Client, things: &Things) -> Reply {
        let id = if self.path.contains("/keys/") { &things.key } else { &things.link };
        let mut path = self.path.replace("{id}", id);
        path += match self.name.as_str() {
            "link_series" => "?interval=day",
            "link_breakdown" => "?by=referrer",
            _ => "",
        };
        let request = client.request(self.method.clone(), &path);
        let body = match self.name.as_str() {
            // One that can do no more than whoever makes it.
            "create_key" => Some(json!({ "name": "made", "scopes": ["keys:write"] })),
            "edit_links" => Some(json!({ "ids": [things.link], "patch": { "title": "changed" } })),
            "delete_links" => Some(json!({ "ids": [things.link] })),
            _ => self.body.clone(),
        };
        client.send(if let Some(body) = body { request.json(&body) } else { request }).await.unwrap()
    }

    /// Whether it is about one thing that is somebody's.
    fn is_about_one(&self) -> bool {
        self.path.contains("{id}") && !self.path.contains("/queue/")
            || ["edit_links", "delete_links"].contains(&&*self.name)
    }
}

/// A link and a key of a new account.
async fn things(server: &Server) -> Things {
    let owner = server.shortener.new_account();
    // Good for no more than whoever may rotate it.
    let scopes = Scopes::new([Scope::KeysWrite]).unwrap();
    let key = NewKey { owner: Some(owner), ..NewKey::new("a key".parse().unwrap(), scopes) };
    let (key, _) = server.shortener.create_key(&Actor::OPERATOR, key).await.unwrap();
    let holder = holder(server, owner, Scopes::MEMBER).await;
    let link = holder.create(&json!({ "target": "https://example.com/" })).await.unwrap().expect(201).unwrap();
    Things { owner, link: link["id"].as_str().unwrap().to_owned(), key: key.id.to_string() }
}

async fn holder(server: &Server, owner: AccountId, scopes: Scopes) -> Client {
    server.holder(NewKey { owner: Some(owner), ..NewKey::new("holder".parse().unwrap(), scopes) }).await
}

/// What became of a request about one thing, also where that is told within an answer.
fn status_of(reply: &Reply) -> u64 {
    let results = serde_json::from_str::<Value>(&reply.text).ok();
    let within = results.and_then(|results| results["results"][0]["status"].as_u64());
    within.unwrap_or(u64::from(reply.status))
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say_and_nothing_else() {
    let server = Server::start().await;
    for operation in operations() {
        let name = &operation.name;
        let things = things(&server).await;
        let anonymous = operation.call(&server.stranger(), &things).await;
        let Some(scope) = operation.scope else {
            assert!(!operation.path.starts_with("/api"), "{name} needs a rule");
            assert_eq!(anonymous.status, 200, "{name}");
            continue;
        };
        assert_eq!(problem(&anonymous, 401)["code"], "unauthorized", "{name}");

        let others = Scope::ALL.into_iter().filter(|other| *other != scope && *other != Scope::Admin);
        let without = holder(&server, things.owner, Scopes::new(others).unwrap()).await;
        let refused = problem(&operation.call(&without, &things).await, 403);
        assert_eq!(refused["code"], "forbidden", "{name}");
        assert!(refused["detail"].as_str().unwrap().contains(scope.as_str()), "{name}: {refused}");
        // Before anything else is looked at.
        let path = format!("{}?nonsense=1", operation.path);
        let refused = without.send(without.request(operation.method.clone(), &path)).await.unwrap();
        assert_eq!(refused.status, 403, "{name}");

        let with = holder(&server, things.owner, Scopes::new([scope]).unwrap()).await;
        let reply = operation.call(&with, &things).await;
        let dead_letter = operation.path.contains("/queue/dead/{id}");
        assert_eq!(reply.status / 100, if dead_letter { 4 } else { 2 }, "{name}: {}", reply.text);
        assert!(![401, 403].contains(&reply.status), "{name}: {}", reply.text);
    }
}

#[tokio::test]
async fn what_is_anothers_does_not_exist_but_for_admins() {
    let server = Server::start().await;
    let everything = Scopes::new(Scope::ALL.into_iter().filter(|scope| *scope != Scope::Admin)).unwrap();
    for operation in operations().iter().filter(|operation| operation.is_about_one()) {
        let (name, things) = (&operation.name, things(&server).await);
        let stranger = holder(&server, server.shortener.new_account(), everything).await;
        assert_eq!(status_of(&operation.call(&stranger, &things).await), 404, "{name}");
        let owner = holder(&server, things.owner, everything).await;
        assert_eq!(status_of(&operation.call(&owner, &things).await) / 100, 2, "{name}");
        let things = self::things(&server).await;
        assert_eq!(status_of(&operation.call(&server.client(), &things).await) / 100, 2, "{name}");
    }
}

#[tokio::test]
async fn lists_show_ones_own_and_admins_all() {
    let server = Server::start().await;
    let (mine, others) = (things(&server).await, things(&server).await);
    let reads = Scopes::new([Scope::LinksRead, Scope::KeysRead]).unwrap();
    let holder = holder(&server, mine.owner, reads).await;
    for (path, own, foreign) in [("/api/v1/links", &mine.link, &others.link), ("/api/v1/keys", &mine.key, &others.key)]
    {
        let list = holder.get(path).await.unwrap().text;
        assert!(list.contains(own) && !list.contains(foreign), "{list}");
        let list = server.client().get(path).await.unwrap().text;
        assert!(list.contains(own) && list.contains(foreign), "{list}");
    }
}
