//! import, and what export makes of it.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::{Value, json};

use crate::Folder;

/// The exported links by slug, without what an import makes anew.
fn exported(folder: &Folder) -> BTreeMap<String, Value> {
    let links = folder.ok(&["export"]);
    links
        .lines()
        .map(|line| {
            let mut link: Value = serde_json::from_str(line).unwrap();
            for name in ["id", "updated_at", "clicks", "version"] {
                assert!(link.as_object_mut().unwrap().remove(name).is_some(), "{name}: {line}");
            }
            (link["slug"].as_str().unwrap().to_owned(), link)
        })
        .collect()
}

#[test]
fn a_link_survives_export_and_import_with_every_field() {
    let link = json!({
        "slug": "All-of_it", "target": "https://example.com/?q=%C3%BC", "title": "Tïtle \"quoted\"", "note": "two\nlines",
        "tags": ["a", "b"], "redirect": 308, "starts_at": "2026-01-01T00:00:00Z", "expires_at": "2099-01-01T00:00:00.000001Z",
        "max_visits": 9, "enabled": false, "created_at": "2020-02-02T02:02:02.123456Z",
    });
    let (first, second) = (Folder::new(), Folder::new());
    first.write("in", &format!("{link}\nhttps://example.com/plain\n"));
    assert_eq!(first.ok(&["import", "in"]), "2 imported, 0 already there, 0 rejected\n");

    let links = exported(&first);
    assert_eq!(links.len(), 2);
    for (name, value) in link.as_object().unwrap() {
        assert_eq!(&links["All-of_it"][name], value, "{name}");
    }
    let dump = first.ok(&["export"]);
    let imported = second.run_with(&["import", "-"], &[], &dump);
    assert_eq!((imported.code, imported.err.as_str()), (Some(0), ""));
    assert_eq!(exported(&second), links);
    assert_eq!(second.run_with(&["import", "-"], &[], &dump).out, "0 imported, 2 already there, 0 rejected\n");
}

#[test]
fn domains_survive_too() {
    let (first, second) = (Folder::new(), Folder::new());
    let env = [("BOLTLINK_BASE_URL", "https://go.example.com"), ("BOLTLINK_DOMAINS", "s.example.org")];
    let lines = "{\"slug\":\"x\",\"target\":\"https://example.com/1\",\"domain\":\"s.example.org\"}\n\
                 {\"slug\":\"x\",\"target\":\"https://example.com/2\",\"domain\":\"go.example.com\"}\n";
    assert_eq!(first.run_with(&["import", "-"], &env, lines).code, Some(0));
    let dump = first.run_with(&["export"], &env, "").out;
    assert_eq!(second.run_with(&["import", "-"], &env, &dump).code, Some(0));
    let strip = |text: String| -> Vec<Value> {
        let mut links: Vec<Value> = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
        links.sort_by_key(|link| link["short_url"].to_string());
        links.iter().map(|link| json!([link["short_url"], link["target"], link["created_at"]])).collect()
    };
    let again = strip(second.run_with(&["export"], &env, "").out);
    assert_eq!(again.len(), 2);
    assert_eq!(again, strip(dump));
    let unknown = first.run_with(&["import", "-"], &[], lines);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("line 1: domain: must be a configured domain"), "{unknown:?}");
}

#[test]
fn importing_again_skips_what_is_there() {
    let folder = Folder::new();
    // More than two batches, and more than two pages of an export.
    let mut urls = String::from("\u{feff}# a comment\r\n\r\n");
    for n in 0..1_203 {
        writeln!(urls, "https://example.com/{n}\r").unwrap();
    }
    folder.write("urls.txt", &urls);
    assert_eq!(folder.ok(&["import", "urls.txt"]), "1203 imported, 0 already there, 0 rejected\n");
    let links = exported(&folder);
    assert_eq!(links.len(), 1_203);
    folder
        .write("urls.txt", &format!("{urls}https://example.com/new\nhttps://example.com/new\nHTTPS://EXAMPLE.com/7\n"));
    assert_eq!(folder.ok(&["import", "urls.txt"]), "1 imported, 1205 already there, 0 rejected\n");
    assert_eq!(exported(&folder).len(), 1_204);
}

#[test]
fn rejected_lines_are_told_by_number_field_and_reason() {
    let folder = Folder::new();
    folder.ok(&["shorten", "https://example.com/there", "--slug", "there"]);
    folder.write(
        "in",
        r##"https://example.com/good
nonsense
{"target": "https://example.com/", "slug": "a b", "redirect": 303, "tags": "x", "starts_at": "soon"}
{"slug": "fine", "colour": "red"}
{"target": "https://example.com/", "starts_at": "2030-01-01T00:00:00Z", "expires_at": "2029-01-01T00:00:00Z"}
{"target": "https://example.com/other", "slug": "there"}
{"target": "https://example.com/there", "slug": "there"}
{"target": "https://example.com/", "slug": "twice"}
{"target": "https://example.org/", "slug": "twice"}
{"target"
[1]
{"target": "https://example.com/", "max_visits": 0, "enabled": "yes", "title": 5}
"##,
    );
    let dry = folder.run(&["import", "--dry-run", "in"]);
    assert_eq!((dry.code, dry.out.as_str()), (Some(2), "dry run: 3 imported, 1 already there, 8 rejected\n"));
    assert_eq!(exported(&folder).len(), 1, "a dry run changes nothing");

    let real = folder.run(&["import", "in"]);
    assert_eq!((real.code, real.out.as_str()), (Some(2), "2 imported, 1 already there, 9 rejected\n"));
    for start in [
        "line 2: target: must be an absolute URL",
        "line 3: slug: must consist of",
        "line 3: tags: must be a list",
        "line 3: redirect: must be 301, 302, 307 or 308",
        "line 3: starts_at: must be an RFC 3339",
        "line 4: target: is missing",
        "line 4: colour: is no field of a link",
        "line 5: expires_at: must be later than starts_at",
        "line 6: slug: is taken by a link to another target",
        "line 9: slug: is taken by a link to another target",
        "line 10: the line: is not JSON",
        "line 11: target: must be an absolute URL",
        "line 12: title: must be a text",
        "line 12: max_visits: must be between 1 and",
        "line 12: enabled: must be true or false",
    ] {
        assert!(real.err.lines().any(|line| line.starts_with(start)), "{start}: {}", real.err);
    }

    let again = folder.run(&["import", "in", "--rejects", "bad.txt"]);
    assert_eq!((again.code, again.out.as_str()), (Some(2), "0 imported, 3 already there, 9 rejected\n"));
    assert_eq!(folder.read("bad.txt"), real.err, "the rejects are the same, and nowhere else");
    assert_eq!(again.err, "");
}

#[test]
fn a_dry_run_without_a_database_makes_none() {
    let folder = Folder::new();
    let dry = folder.run_with(&["import", "-", "--dry-run"], &[], "https://example.com/a\nhttps://example.com/a\n");
    assert_eq!((dry.code, dry.out.as_str()), (Some(0), "dry run: 1 imported, 1 already there, 0 rejected\n"));
    assert_eq!(folder.files(), [""; 0]);
}

#[test]
fn an_input_that_cannot_be_read_is_a_failure() {
    let folder = Folder::new();
    assert!(folder.fails(&["import", "missing.txt"]).contains("missing.txt"));
    assert!(folder.fails(&["import", "."]).contains("folder"));
    assert_eq!(folder.files(), [""; 0]);
}
