//! export, and that import makes the same of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Folder;

const ENV: [(&str, &str); 2] = [("BOLTLINK_BASE_URL", "https://go.example.com"), ("BOLTLINK_DOMAINS", "s.example.org")];

/// Links with everything that a link can have, and that a table finds hard.
fn full() -> Folder {
    let folder = Folder::new();
    let links = [
        json!({
            "id": "019ab2c4-6f1e-7cc3-98c4-dc0c0c07398f", "slug": "All-of_it", "target": "https://example.com/?q=%C3%BC",
            "title": "Tïtle \"quoted\", and; more", "note": " =1+1\r\ntwo\nlines\t'", "tags": ["[e]", "a|b", "c,d"],
            "redirect": 308, "starts_at": "2026-01-01T00:00:00Z", "expires_at": "2099-01-01T00:00:00.000001Z",
            "max_visits": 9, "enabled": false, "forward_query": true, "forward_path": true, "crawlable": true,
            "password_hash": "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$gkBAr8sfr2kd9Ym7ct9mHXBhcBj8ZD8hxqoTqTGtyb8",
            "owner": "019ab2c4-0000-7cc3-98c4-dc0c0c07398f", "clicks": 7, "version": 5,
            "created_at": "2020-02-02T02:02:02.123456Z", "updated_at": "2021-02-02T02:02:02Z",
        }),
        json!({"slug": "x", "target": "https://example.com/1", "domain": "s.example.org", "tags": ["a", "b"], "clicks": 3}),
        json!({"slug": "x", "target": "https://example.com/2", "domain": "go.example.com", "title": "=cmd()"}),
        json!({"slug": "NULL", "target": "https://example.com/4", "title": "NULL", "note": "\\N", "tags": ["NULL"]}),
        json!({"target": "https://example.com/3", "tags": ["a, b"], "title": "🚀"}),
    ];
    let lines: String = links.iter().map(|link| format!("{link}\n")).collect();
    let ran = folder.run_with(&["import", "-"], &ENV, &lines);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "5 imported, 0 already there, 0 rejected\n"), "{ran:?}");
    let there = folder.links(&ENV);
    for (name, value) in links[0].as_object().unwrap() {
        if name != "note" {
            assert_eq!(&there["https://go.example.com/All-of_it"][name], value, "{name}");
        }
    }
    folder
}

#[test]
fn ndjson_and_csv_come_back_as_they_were() {
    let first = full();
    let links = first.links(&ENV);
    for format in ["ndjson", "csv"] {
        let args = ["export", "--format", format, "--output", "links.out"];
        let ran = first.run_with(&args, &ENV, "");
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
        let second = Folder::new();
        second.write("links.out", &first.read("links.out"));
        let ran = second.run_with(&["import", "links.out"], &ENV, "");
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), "5 imported, 0 already there, 0 rejected\n"), "{ran:?}");
        assert_eq!(ran.err, "");
        assert_eq!(second.links(&ENV), links, "{format}");
        let again = second.run_with(&["import", "links.out"], &ENV, "");
        assert_eq!(again.out, "0 imported, 5 already there, 0 rejected\n");
        assert_eq!(second.run_with(&args, &ENV, "").code, Some(0));
        assert_eq!(second.read("links.out"), first.read("links.out"), "byte for byte");
    }
}

#[test]
fn an_export_moves_with_the_name_of_the_default_domain() {
    let first = full();
    let dump = first.run_with(&["export", "--format", "csv"], &ENV, "").out;
    let second = Folder::new();
    let env = [("BOLTLINK_BASE_URL", "https://new.example.net"), ENV[1]];
    assert_eq!(second.run_with(&["import", "-"], &env, &dump).code, Some(0));
    let urls: Vec<_> = second.links(&env).into_keys().collect();
    assert!(urls.contains(&"https://new.example.net/All-of_it".to_owned()), "{urls:?}");
    assert!(urls.contains(&"https://s.example.org/x".to_owned()), "{urls:?}");
}

#[test]
fn a_foreign_table_goes_through_every_format_of_ours() {
    let strip = |links: BTreeMap<String, Value>| links.into_values().collect::<Vec<_>>();
    let first = Folder::new();
    first.sample("shlink.csv");
    assert_eq!(first.run_with(&["import", "shlink.csv"], &ENV, "").code, Some(2));
    let table = first.run_with(&["export", "--format", "csv"], &ENV, "").out;
    let second = Folder::new();
    assert_eq!(second.run_with(&["import", "-"], &ENV, &table).code, Some(0));
    let lines = second.run_with(&["export"], &ENV, "").out;
    let third = Folder::new();
    assert_eq!(third.run_with(&["import", "-"], &ENV, &lines).code, Some(0));
    assert_eq!(strip(third.links(&ENV)), strip(first.links(&ENV)));
}

#[test]
fn an_output_that_cannot_be_written_is_a_failure() {
    let folder = full();
    let ran = folder.run_with(&["export", "--output", "no/such/folder"], &ENV, "");
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("--output no/such/folder"), "{}", ran.err);
}
