//! Who may do what: every operation of the document, by every kind of caller. An operation that the document says
//! nothing about fails here.

use boltlink_core::{AccountId, Actor, NewKey, Role, Scope, Scopes};
use boltlink_server::{Rates, Registration, ServerOptions};
use boltlink_testkit::{Client, Reply};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, problem};

/// What an operation needs of its caller.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    AnyCredential,
    Session,
    Scope(Scope),
}

/// An operation as the document has it.
struct Operation {
    name: String,
    method: Method,
    path: String,
    needs: Needs,
    body: Option<Value>,
}

/// Things of somebody's, that operations are about.
struct Things {
    owner: AccountId,
    email: String,
    link: String,
    key: String,
    session: String,
    /// An account that is nobody's here.
    other: AccountId,
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&boltlink_server::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let needs = match operation.get("x-required-scope").map(|needs| needs.as_str().unwrap()) {
                None => Needs::Nothing,
                Some("any") => Needs::AnyCredential,
                Some("session") => Needs::Session,
                Some(scope) => Needs::Scope(scope.parse().unwrap()),
            };
            // One that needs nothing must not say that it does, and the other way round.
            assert_eq!(operation.get("security").is_none(), needs == Needs::Nothing, "{path}");
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let body = schema.as_str().map(|schema| document.pointer(&schema[1..]).unwrap()["example"].clone());
            operations.push(Operation {
                name: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                needs,
                body,
            });
        }
    }
    assert!(operations.len() > 40, "the document is read");
    operations
}

impl Operation {
    async fn call(&self, client: &Client, things: &Things) -> Reply {
        let other = things.other.to_string();
        let id = match self.path.split('/').nth(3) {
            Some("keys") => &things.key,
            Some("sessions") => &things.session,
            Some("accounts") => &other,
            _ => &things.link,
        };
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
            "invite_account" => Some(json!({ "email": format!("of-{}@example.com", things.owner), "role": "editor" })),
            _ => self.body.clone(),
        };
        client.send(if let Some(body) = body { request.json(&body) } else { request }).await.unwrap()
    }

    /// Whether it is about one thing that is somebody's.
    fn is_about_one(&self) -> bool {
        let shared = ["/queue/", "/accounts/"].iter().any(|path| self.path.contains(path));
        self.path.contains("{id}") && !shared || ["edit_links", "delete_links"].contains(&&*self.name)
    }

    /// Whether it did what it is for, as far as it can here: no click was refused.
    fn assert_done(&self, reply: &Reply, who: &str) {
        let done = if self.path.contains("/queue/dead/{id}") { reply.status == 404 } else { reply.status / 100 == 2 };
        assert!(done, "{} by {who}: {} {}", self.name, reply.status, reply.text);
    }
}

/// A server where people may be invited, and nobody is limited.
async fn server() -> Server {
    let rates = Rates { login_account: None, login_address: None, api: None, ..Rates::default() };
    Server::with(ServerOptions { rates, registration: Registration::Invitation, ..ServerOptions::default() }).await
}

/// A link, a key and a session of a new account that has this role.
async fn things(server: &Server, role: Role) -> Things {
    let email = format!("{}@example.com", server.shortener.new_account());
    let owner = server.account(&email, Role::Admin).await;
    // Good for no more than whoever may rotate it.
    let scopes = Scopes::new([Scope::KeysWrite]).unwrap();
    let key = NewKey { owner: Some(owner), ..NewKey::new("a key".parse().unwrap(), scopes) };
    let (key, _) = server.shortener.create_key(&Actor::OPERATOR, key).await.unwrap();
    let session = server.logged_in(&email).await;
    let link = session.create(&json!({ "target": "https://example.com/" })).await.unwrap().expect(201).unwrap();
    let me = session.get("/api/v1/me").await.unwrap().expect(200).unwrap();
    // Only now, as not everybody may make them.
    server.shortener.edit_account(&Actor::OPERATOR, owner, Some(role), None).await.unwrap();
    let other = server.account(&format!("{}@example.com", server.shortener.new_account()), Role::Viewer).await;
    Things {
        owner,
        email,
        link: link["id"].as_str().unwrap().to_owned(),
        key: key.id.to_string(),
        session: me["session"].as_str().unwrap().to_owned(),
        other,
    }
}

async fn holder(server: &Server, owner: AccountId, scopes: Scopes) -> Client {
    server.holder(NewKey { owner: Some(owner), ..NewKey::new("holder".parse().unwrap(), scopes) }).await
}

fn all_but_admin() -> Scopes {
    Scopes::new(Scope::ALL.into_iter().filter(|scope| *scope != Scope::Admin)).unwrap()
}

/// What became of a request about one thing, also where that is told within an answer.
fn status_of(reply: &Reply) -> u64 {
    let results = serde_json::from_str::<Value>(&reply.text).ok();
    let within = results.and_then(|results| results["results"][0]["status"].as_u64());
    within.unwrap_or(u64::from(reply.status))
}

#[tokio::test]
async fn strangers_are_told_nothing_but_what_is_for_all() {
    let server = server().await;
    let things = things(&server, Role::Editor).await;
    for operation in operations() {
        let (name, reply) = (&operation.name, operation.call(&server.stranger(), &things).await);
        match (operation.needs, name.as_str()) {
            // With the examples of the document.
            (Needs::Nothing, "register") => assert_eq!(problem(&reply, 403)["code"], "registration-closed"),
            (Needs::Nothing, "log_in") => assert_eq!(problem(&reply, 401)["code"], "wrong-credentials"),
            (Needs::Nothing, "set_password") => assert_eq!(problem(&reply, 410)["code"], "ticket-not-valid"),
            (Needs::Nothing, _) => {
                assert!(!operation.path.starts_with("/api"), "{name} needs a rule");
                assert_eq!(reply.status, 200, "{name}");
            }
            // From the same machine.
            (_, "metrics") => assert_eq!(reply.status, 200),
            _ => assert_eq!(problem(&reply, 401)["code"], "unauthorized", "{name}"),
        }
    }
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say_and_nothing_else() {
    let server = server().await;
    for operation in operations() {
        let (name, things) = (&operation.name, things(&server, Role::Admin).await);
        let scope = match operation.needs {
            Needs::Nothing => continue,
            Needs::AnyCredential => Scope::LinksRead,
            Needs::Session => {
                let everything = holder(&server, things.owner, Scopes::ADMIN).await;
                let refused = problem(&operation.call(&everything, &things).await, 403);
                assert_eq!(refused["code"], "session-required", "{name}");
                continue;
            }
            Needs::Scope(scope) => {
                let others = Scope::ALL.into_iter().filter(|other| *other != scope && *other != Scope::Admin);
                let without = holder(&server, things.owner, Scopes::new(others).unwrap()).await;
                let refused = problem(&operation.call(&without, &things).await, 403);
                assert_eq!(refused["code"], "forbidden", "{name}");
                assert!(refused["detail"].as_str().unwrap().contains(scope.as_str()), "{name}: {refused}");
                // Before anything else is looked at.
                let path = format!("{}?nonsense=1", operation.path);
                let refused = without.send(without.request(operation.method.clone(), &path)).await.unwrap();
                assert_eq!(refused.status, 403, "{name}");
                scope
            }
        };
        let with = holder(&server, things.owner, Scopes::new([scope]).unwrap()).await;
        operation.assert_done(&operation.call(&with, &things).await, "a key with the scope");
    }
}

#[tokio::test]
async fn an_account_does_what_its_role_says_and_nothing_else() {
    let server = server().await;
    for operation in operations() {
        for role in Role::ALL {
            let may = match operation.needs {
                Needs::Nothing => continue,
                Needs::AnyCredential | Needs::Session => true,
                Needs::Scope(scope) => role.scopes().cover(scope),
            };
            for by_key in [true, false] {
                if by_key && operation.needs == Needs::Session {
                    continue;
                }
                let things = things(&server, role).await;
                // API keys can do no more than their account can, whatever they say.
                let client = match by_key {
                    true => holder(&server, things.owner, Scopes::ADMIN).await,
                    false => server.logged_in(&things.email).await,
                };
                let reply = operation.call(&client, &things).await;
                let who = format!("{role}, by key: {by_key}");
                if may {
                    operation.assert_done(&reply, &who);
                } else {
                    assert_eq!(problem(&reply, 403)["code"], "forbidden", "{} by {who}", operation.name);
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_anothers_does_not_exist_but_for_admins() {
    let server = server().await;
    for operation in operations().iter().filter(|operation| operation.is_about_one()) {
        let (name, things) = (&operation.name, things(&server, Role::Editor).await);
        let strangers_things = self::things(&server, Role::Editor).await;
        let stranger = server.logged_in(&strangers_things.email).await;
        assert_eq!(status_of(&operation.call(&stranger, &things).await), 404, "{name}");
        if operation.needs != Needs::Session {
            let stranger = holder(&server, server.shortener.new_account(), all_but_admin()).await;
            assert_eq!(status_of(&operation.call(&stranger, &things).await), 404, "{name}");
            let owner = holder(&server, things.owner, all_but_admin()).await;
            assert_eq!(status_of(&operation.call(&owner, &things).await) / 100, 2, "{name}");
        }
        let things = self::things(&server, Role::Editor).await;
        let owner = server.logged_in(&things.email).await;
        assert_eq!(status_of(&operation.call(&owner, &things).await) / 100, 2, "{name}");

        let things = self::things(&server, Role::Editor).await;
        let admins_things = self::things(&server, Role::Admin).await;
        let admin = server.logged_in(&admins_things.email).await;
        // Sessions are nobody's but one's own.
        let status = if operation.needs == Needs::Session { 4 } else { 2 };
        assert_eq!(status_of(&operation.call(&admin, &things).await) / 100, status, "{name}");
    }
}

#[tokio::test]
async fn lists_show_ones_own_and_admins_all() {
    let server = server().await;
    let (mine, others) = (things(&server, Role::Editor).await, things(&server, Role::Editor).await);
    let reads = Scopes::new([Scope::LinksRead, Scope::KeysRead]).unwrap();
    let holder = holder(&server, mine.owner, reads).await;
    let session = server.logged_in(&mine.email).await;
    for (path, own, foreign) in [("/api/v1/links", &mine.link, &others.link), ("/api/v1/keys", &mine.key, &others.key)]
    {
        for client in [&holder, &session] {
            let list = client.get(path).await.unwrap().text;
            assert!(list.contains(own) && !list.contains(foreign), "{list}");
        }
        let list = server.client().get(path).await.unwrap().text;
        assert!(list.contains(own) && list.contains(foreign), "{list}");
    }
    let list = session.get("/api/v1/sessions").await.unwrap().text;
    assert!(list.contains(&mine.session) && !list.contains(&others.session), "{list}");
}
