//! import of what other shorteners export.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Folder;

const ENV: [(&str, &str); 2] = [("BOLTLINK_BASE_URL", "https://go.example.com"), ("BOLTLINK_DOMAINS", "s.example.org")];

/// Imports a sample twice, under the domains of [`ENV`], and gives its links and what was rejected.
#[track_caller]
fn import(name: &str, args: &[&str], tally: &str) -> (BTreeMap<String, Value>, Vec<String>) {
    let folder = Folder::new();
    folder.sample(name);
    let args = [&["import", name], args].concat();
    let ran = folder.run_with(&args, &ENV, "");
    assert_eq!(ran.out.trim_end(), tally, "{ran:?}");
    let links = folder.links(&ENV);
    let report = format!("{name}.rejects.txt");
    let rejects = if folder.files().contains(&report) { folder.read(&report) } else { String::new() };
    assert_eq!(ran.code, Some(if rejects.is_empty() { 0 } else { 2 }));
    let again = folder.run_with(&args, &ENV, "");
    assert!(again.out.starts_with("0 imported, "), "{again:?}");
    assert_eq!(folder.links(&ENV), links, "importing again changes nothing");
    (links, rejects.lines().map(str::to_owned).collect())
}

/// Asserts fields of the link at this short URL.
#[track_caller]
fn has(links: &BTreeMap<String, Value>, url: &str, fields: Value) {
    let link = links.get(url).unwrap_or_else(|| panic!("{url}: {links:?}"));
    for (name, value) in fields.as_object().unwrap() {
        assert_eq!(link.get(name).unwrap_or(&Value::Null), value, "{name} of {url}");
    }
}

#[track_caller]
fn rejected(rejects: &[String], starts: &[&str]) {
    assert_eq!(rejects.len(), starts.len(), "{rejects:#?}");
    for (reject, start) in rejects.iter().zip(starts) {
        assert!(reject.starts_with(start), "{start}: {reject}");
    }
}

#[test]
fn bitly() {
    let tally = "5 imported, 0 already there, 2 rejected";
    let (links, rejects) = import("bitly.csv", &["--domain", "go.example.com"], tally);
    has(
        &links,
        "https://go.example.com/3aBcDeF",
        json!({
            "target": "https://example.com/spring?utm_source=mail&utm_medium=a%2Cb", "title": "Spring sale, all of it",
            "tags": ["news", "spring"], "clicks": 1234, "created_at": "2021-05-06T07:08:09Z",
        }),
    );
    has(
        &links,
        "https://go.example.com/4xYz",
        json!({
            "target": "https://example.com/%F0%9F%9A%80", "title": "Rocket 🚀 \"go\"", "tags": null, "clicks": 0,
        }),
    );
    has(&links, "https://go.example.com/two", json!({"title": "Two lines", "created_at": "2021-05-08T00:00:00Z"}));
    has(&links, "https://go.example.com/after", json!({"tags": ["a", "b"], "clicks": 7}));
    assert!(links.values().any(|link| link["target"] == "https://example.com/none"));
    rejected(&rejects, &["line 6: slug: is reserved", "line 8: the line: has text behind a closing quote"]);
}

#[test]
fn bitly_under_its_own_domain_says_what_to_do() {
    let (_, rejects) = import("bitly.csv", &[], "1 imported, 0 already there, 6 rejected");
    assert!(
        rejects[0].starts_with("line 2: domain: 'bit.ly' must be a configured domain (go.example.com, "),
        "{rejects:?}"
    );
    assert!(rejects[0].contains("--domain"), "{rejects:?}");
}

#[test]
fn bitly_with_custom_links() {
    let (links, rejects) = import("bitly-custom.csv", &[], "2 imported, 0 already there, 0 rejected");
    let at = "2021-05-06T07:08:09Z";
    has(&links, "https://go.example.com/One", json!({"target": "https://example.com/one", "created_at": at}));
    has(&links, "https://go.example.com/2222", json!({"target": "https://example.com/two", "tags": ["a", "b"]}));
    rejected(&rejects, &[]);
}

#[test]
fn yourls_plugin() {
    let (links, rejects) = import("yourls-plugin.csv", &[], "3 imported, 0 already there, 2 rejected");
    has(&links, "https://go.example.com/abc", json!({"target": "https://example.com/a", "clicks": 5}));
    has(&links, "https://go.example.com/q", json!({"target": "https://example.com/?list=1,2&x=%22y%22", "clicks": 0}));
    has(&links, "https://go.example.com/tiny-url", json!({"clicks": 12}));
    rejected(&rejects, &["line 5: slug: must consist of", "line 6: target: has the scheme 'mailto'"]);
}

#[test]
fn yourls_table() {
    let (links, rejects) = import("yourls-table.csv", &[], "3 imported, 0 already there, 2 rejected");
    has(
        &links,
        "https://go.example.com/abc",
        json!({
            "title": "A page; with \"quotes\", commas and a second line", "created_at": "2014-03-02T23:59:59Z", "clicks": 42,
        }),
    );
    has(&links, "https://go.example.com/old", json!({"title": null, "clicks": 0}));
    has(&links, "https://go.example.com/null", json!({"title": null, "clicks": 3}));
    rejected(&rejects, &["line 4: slug: ", "line 6: the line: has 3 cells, but the header 6"]);
    let (links, _) = import("yourls-table.tsv", &[], "4 imported, 0 already there, 0 rejected");
    has(&links, "https://go.example.com/abc", json!({"title": "A, \"page\"; plain", "clicks": 42}));
    has(&links, "https://go.example.com/null", json!({"title": null, "clicks": 3}));
    has(&links, "https://go.example.com/quoted", json!({"title": "\"Quoted\" at first, then C:\\new"}));
    has(&links, "https://go.example.com/open", json!({"title": "\"never closed"}));
}

#[test]
fn slugs_of_other_scripts_come_along_where_they_are_allowed() {
    let folder = Folder::new();
    folder.sample("yourls-table.csv");
    let env = [ENV[0], ("BOLTLINK_UNICODE_SLUGS", "on")];
    let ran = folder.run_with(&["import", "yourls-table.csv"], &env, "");
    assert_eq!(ran.out, "4 imported, 0 already there, 1 rejected\n");
    assert!(folder.links(&env).values().any(|link| link["slug"] == "Zürich"));
}

#[test]
fn shlink() {
    let (links, rejects) = import("shlink.csv", &[], "2 imported, 0 already there, 3 rejected");
    has(
        &links,
        "https://go.example.com/abc123",
        json!({
            "target": "https://example.com/a", "title": "Über, alles", "tags": ["light blue", "red"], "clicks": 17,
            "created_at": "2021-05-06T07:08:09Z",
        }),
    );
    has(
        &links,
        "https://s.example.org/abc123",
        json!({"target": "https://example.com/b", "title": null, "tags": null}),
    );
    rejected(
        &rejects,
        &[
            "line 4: domain: 'elsewhere.example' must be a configured domain",
            "line 5: slug: must consist of",
            "line 6: created_at: must be an RFC 3339",
            "line 6: clicks: must be a whole number",
        ],
    );
}

#[test]
fn kutt_api() {
    let (links, rejects) = import("kutt-api.json", &[], "3 imported, 0 already there, 2 rejected");
    has(
        &links,
        "https://go.example.com/kiwi",
        json!({
            "target": "https://example.com/kiwi", "title": "A bird: \"kiwi\" {not} [fruit]", "clicks": 21, "enabled": true,
            "created_at": "2020-07-30T15:42:54.123Z", "expires_at": "2099-01-01T00:00:00Z",
        }),
    );
    has(&links, "https://s.example.org/banned", json!({"enabled": false, "title": null, "expires_at": null}));
    has(&links, "https://go.example.com/last", json!({"clicks": 3}));
    rejected(&rejects, &["line 35: password: ", "line 36: the line: is not JSON"]);
}

#[test]
fn kutt_table() {
    let (links, rejects) = import("kutt-table.csv", &[], "2 imported, 0 already there, 2 rejected");
    has(
        &links,
        "https://go.example.com/kiwi",
        json!({
            "title": "A bird", "clicks": 21, "created_at": "2020-07-30T15:42:54.123456Z", "expires_at": "2099-01-01T00:00:00Z",
        }),
    );
    has(&links, "https://go.example.com/banned", json!({"enabled": false}));
    rejected(&rejects, &["line 4: password: ", "line 5: domain_id: "]);
    let (links, _) =
        import("kutt-table.csv", &["--domain", "s.example.org"], "3 imported, 0 already there, 1 rejected");
    has(&links, "https://s.example.org/custom", json!({"clicks": 4}));
}

#[test]
fn kutt_links_one_a_line() {
    let folder = Folder::new();
    let lines = "{\"address\":\"a\",\"target\":\"https://example.com/a\",\"banned\":false,\"visit_count\":1}\n\
                 {\"address\":\"b\",\"target\":\"https://example.com/b\",\"password\":true}\n";
    for args in [&["import", "-", "--dry-run"][..], &["import", "-", "--dry-run", "--format", "kutt"]] {
        let ran = folder.run_with(args, &[], lines);
        assert_eq!(ran.out, "dry run: 1 imported, 0 already there, 1 rejected\n", "{ran:?}");
    }
}

#[test]
fn json_that_ends_early_is_told() {
    let folder = Folder::new();
    let page = "{\"data\":[{\"address\":\"a\",\"target\":\"https://example.com/a\"},{\"address\":\"b\",";
    let ran = folder.run_with(&["import", "-"], &[], page);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), "1 imported, 0 already there, 1 rejected\n"));
    assert!(ran.err.contains("the JSON goes on"), "{}", ran.err);
}

#[test]
fn a_format_that_is_asked_for_is_used() {
    let folder = Folder::new();
    // Two columns that both Bitly and people have.
    let table = "link,url\ngo.example.com/x,https://example.com/x\n";
    let env = [("BOLTLINK_BASE_URL", "https://go.example.com")];
    let ran = folder.run_with(&["import", "-", "--format", "bitly"], &env, table);
    assert_eq!(ran.out, "1 imported, 0 already there, 0 rejected\n");
    has(&folder.links(&env), "https://go.example.com/x", json!({"target": "https://example.com/x"}));
    let wrong = folder.run_with(&["import", "-", "--format", "shlink"], &env, table);
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("call it longurl"), "{}", wrong.err);
}
