//! An example of each schema in the document.

use serde_json::{Value, json};

use super::{document::problem, problem::Code};

/// An example of each schema that requests and answers are made of.
pub(super) fn examples() -> Vec<(&'static str, Value)> {
    let id = "019ab2c4-6f1e-7cc3-98c4-dc0c0c07398f";
    let link = json!({
        "id": id,
        "domain": "go.example.com",
        "slug": "rust",
        "short_url": "https://go.example.com/rust",
        "target": "https://www.rust-lang.org/learn",
        "title": "Learn Rust",
        "note": null,
        "tags": ["docs", "rust"],
        "redirect": 302,
        "starts_at": null,
        "expires_at": "2030-01-01T00:00:00Z",
        "max_visits": null,
        "has_password": false,
        "forward_query": true,
        "forward_path": false,
        "crawlable": false,
        "enabled": true,
        "clicks": 1234,
        "created_at": "2026-11-24T01:44:54.539314Z",
        "updated_at": "2026-11-24T01:44:54.539314Z",
        "version": 1,
    });
    let new = json!({ "target": "https://www.rust-lang.org/learn", "title": "Learn Rust", "tags": ["docs", "rust"] });
    let patch = json!({ "title": "The Rust book", "expires_at": null });
    let click = json!({
        "id": "019ab2c5-0a4b-7d2e-8f00-3c5e6d7f8091",
        "at": "2026-11-24T09:12:33.120481Z",
        "weight": 1,
        "referrer": "https://news.example.com/",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "language": "de-DE,de;q=0.9",
        "visitor": "5f0c0d3e6a1b4c2d8e9f00112233aabb",
        "network": "203.0.113.0/24",
    });
    let letter = json!({
        "id": "totals.019ab2c5-0a4b-7d2e-8f00-3c5e6d7f8091.42",
        "consumer": "totals",
        "clicks": 1,
        "whole": false,
        "unreadable": null,
        "reason": "new row violates a check constraint",
        "since": "2026-11-24T09:12:34Z",
    });
    let key = json!({
        "id": id,
        "owner": "019ab2c4-0000-7000-8000-000000000001",
        "name": "website",
        "scopes": ["links:read", "links:write"],
        "domains": ["go.example.com"],
        "networks": ["203.0.113.0/24"],
        "created_at": "2026-11-24T01:44:54.539314Z",
        "expires_at": null,
        "revoked_at": null,
        "last_used_at": "2026-11-24T09:12:33.120481Z",
        "old_secret_until": null,
    });
    let new_key = json!({ "name": "website", "scopes": ["links:read", "links:write"], "networks": ["203.0.113.0/24"] });
    let token = format!("blt_{}_{}", id.replace('-', ""), "0".repeat(64));
    let cursor = format!("{:080}", 0);
    let account = json!({
        "id": id,
        "email": "ada@example.com",
        "role": "editor",
        "has_password": true,
        "created_at": "2026-11-24T01:44:54.539314Z",
        "disabled_at": null,
        "last_login_at": "2026-11-24T09:12:33.120481Z",
    });
    let session = json!({
        "id": "019ab2c5-0a4b-7d2e-8f00-3c5e6d7f8091",
        "current": true,
        "created_at": "2026-11-24T09:12:33.120481Z",
        "used_at": "2026-11-24T09:12:33.120481Z",
        "expires_at": "2026-12-08T09:12:33.120481Z",
        "client": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    });
    let entry = json!({
        "id": "019ab2c5-0a4b-7d2e-8f00-3c5e6d7f8091",
        "at": "2026-11-24T09:12:33.120481Z",
        "account_id": "019ab2c4-0000-7000-8000-000000000001",
        "key_id": null,
        "session_id": "019ab2c5-0000-7000-8000-000000000002",
        "action": "link.edited",
        "object_id": id,
        "certain": true,
        "detail": "target enabled",
    });
    let ticket = format!("blo_{}_{}", id.replace('-', ""), "0".repeat(64));
    let (password, other) = ("correct horse battery staple", "a seventh dwarf walks blue");
    vec![
        ("AuditEntry", entry.clone()),
        ("AuditPage", json!({ "items": [entry], "next_cursor": null })),
        ("Account", account.clone()),
        ("AccountPage", json!({ "items": [account], "next_cursor": null })),
        ("AccountPatch", json!({ "role": "viewer" })),
        (
            "AccountWithLink",
            json!({
                "account": account,
                "ticket": ticket,
                "link": format!("https://go.example.com/login/password?ticket={ticket}"),
                "expires_at": "2026-11-27T09:12:33.120481Z",
            }),
        ),
        ("Credentials", json!({ "email": "ada@example.com", "password": password })),
        (
            "LoggedIn",
            json!({
                "account": account,
                "session": session,
                "token": format!("bls_{}_{}", id.replace('-', ""), "0".repeat(64)),
            }),
        ),
        (
            "Me",
            json!({
                "account": id,
                "email": "ada@example.com",
                "role": "editor",
                "scopes": ["links:read", "links:write", "analytics:read", "keys:read", "keys:write"],
                "api_key": null,
                "session": "019ab2c5-0a4b-7d2e-8f00-3c5e6d7f8091",
            }),
        ),
        ("NewAccount", json!({ "email": "ada@example.com", "role": "editor" })),
        ("NewPassword", json!({ "ticket": ticket, "password": password })),
        ("PasswordChange", json!({ "current_password": password, "password": other })),
        ("PasswordProof", json!({ "password": password, "links": "keep" })),
        ("Registration", json!({ "email": "ada@example.com", "password": password })),
        ("Sessions", json!({ "items": [session] })),
        ("ApiKey", key.clone()),
        ("ApiKeyPage", json!({ "items": [key], "next_cursor": null })),
        ("ApiKeyWithToken", json!({ "key": key, "token": token })),
        ("NewApiKey", new_key),
        (
            "BulkResults",
            json!({ "results": [{ "status": 201, "link": link }, { "status": 409, "problem": problem(Code::SlugTaken) }] }),
        ),
        (
            "Breakdown",
            json!({ "items": [{ "value": "news.example.com", "clicks": 12 }, { "value": "", "clicks": 3 }] }),
        ),
        ("ClickPage", json!({ "items": [click], "next_cursor": null })),
        (
            "GlobalCounts",
            json!({ "from": "2026-11-01", "to": "2026-11-24", "clicks": 12, "days": [{ "day": "2026-11-23", "clicks": 12 }] }),
        ),
        (
            "DeadLetterDetails",
            json!({
                "letter": letter,
                "items": [{
                    "id": "019ab2c5-0a4b-7d2e-8f00-3c5e6d7f8091",
                    "link_id": id,
                    "at": "2026-11-24T09:12:33.120481Z",
                    "referrer": "https://news.example.com/",
                    "user_agent": null,
                    "language": "de",
                }],
            }),
        ),
        ("DeadLetterPage", json!({ "items": [letter], "next_cursor": null })),
        (
            "Depths",
            json!({ "consumers": [
                { "consumer": "totals", "batches": 3, "oldest": "2026-11-24T09:12:33.120481Z", "dead_letters": 1 },
                { "consumer": "analytics", "batches": 0, "oldest": null, "dead_letters": 0 },
            ] }),
        ),
        ("Replayed", json!({ "clicks": 1, "orphaned": 0 })),
        ("LinkIds", json!({ "ids": [id] })),
        ("LinkPage", json!({ "items": [link], "next_cursor": cursor })),
        ("LinkPatches", json!({ "ids": [id], "patch": patch })),
        ("NewLinks", json!({ "links": [new] })),
        (
            "Series",
            json!({ "points": [{ "at": "2026-11-24T08:00:00Z", "clicks": 0 }, { "at": "2026-11-24T09:00:00Z", "clicks": 12 }] }),
        ),
        (
            "Stats",
            json!({
                "clicks": 12,
                "hours": [{ "hour": "2026-11-24T09:00:00Z", "clicks": 12 }],
                "days": [{ "day": "2026-11-24", "clicks": 12 }],
                "referrers": [{ "value": "news.example.com", "clicks": 12 }],
                "languages": [{ "value": "de", "clicks": 12 }],
            }),
        ),
        ("Top", json!({ "from": "2026-11-01", "to": "2026-11-24", "items": [{ "clicks": 12, "link": link }] })),
        ("Link", link),
        ("NewLink", new),
        ("LinkPatch", patch),
        ("Problem", problem(Code::LinkNotFound)),
    ]
}
