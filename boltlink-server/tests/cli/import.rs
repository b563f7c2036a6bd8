//! import of lists and NDJSON, and what all imports do.

use std::fmt::Write;

use crate::Folder;

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
    assert_eq!(folder.links(&[]).len(), 1_203);
    folder
        .write("urls.txt", &format!("{urls}https://example.com/new\nhttps://example.com/new\nHTTPS://EXAMPLE.com/7\n"));
    assert_eq!(folder.ok(&["import", "urls.txt"]), "1 imported, 1205 already there, 0 rejected\n");
    assert_eq!(folder.links(&[]).len(), 1_204);
}

#[test]
fn a_target_that_comes_again_much_later_is_one_link() {
    let folder = Folder::new();
    let mut urls = String::new();
    for n in (0..1_100).chain(0..1_100) {
        writeln!(urls, "https://example.com/{n}").unwrap();
    }
    folder.write("urls.txt", &urls);
    assert_eq!(folder.ok(&["import", "urls.txt"]), "1100 imported, 1100 already there, 0 rejected\n");
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
    assert_eq!(folder.links(&[]).len(), 1, "a dry run changes nothing");

    let real = folder.run(&["import", "in"]);
    assert_eq!((real.code, real.out.as_str()), (Some(2), "2 imported, 1 already there, 9 rejected\n"));
    let report = folder.read("in.rejects.txt");
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
        assert!(report.lines().any(|line| line.starts_with(start)), "{start}: {report}");
    }
    let numbers: Vec<u32> =
        report.lines().map(|line| line["line ".len()..].split(':').next().unwrap().parse().unwrap()).collect();
    assert!(numbers.is_sorted(), "in the order of the file: {report}");
    assert!(real.err.contains("in.rejects.txt"), "{}", real.err);
    assert!(real.err.contains("line 2: target: must be an absolute URL"), "{}", real.err);

    let again = folder.run(&["import", "in", "--rejects", "bad.txt"]);
    assert_eq!((again.code, again.out.as_str()), (Some(2), "0 imported, 3 already there, 9 rejected\n"));
    assert_eq!(folder.read("bad.txt"), report);
    let piped = folder.run_with(&["import", "-"], &[], &folder.read("in"));
    assert_eq!(piped.err, report, "without a file there is none beside it");
    assert_eq!(folder.files(), ["bad.txt", "boltlink.db", "in", "in.rejects.txt"]);
}

#[test]
fn nothing_rejected_leaves_no_report() {
    let folder = Folder::new();
    folder.write("in", "https://example.com/");
    let ran = folder.run(&["import", "in"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(folder.files(), ["boltlink.db", "in"]);
}

#[test]
fn a_domain_overrides_those_in_the_file() {
    let folder = Folder::new();
    let env = [("BOLTLINK_BASE_URL", "https://go.example.com"), ("BOLTLINK_DOMAINS", "s.example.org")];
    let lines = "{\"slug\":\"a\",\"target\":\"https://example.com/1\",\"domain\":\"elsewhere.example\"}\n\
                 {\"slug\":\"b\",\"target\":\"https://example.com/2\"}\nhttps://example.com/3\n";
    let refused = folder.run_with(&["import", "-"], &env, lines);
    assert_eq!((refused.code, refused.out.as_str()), (Some(2), "2 imported, 0 already there, 1 rejected\n"));
    for part in ["line 1: domain: 'elsewhere.example'", "go.example.com, s.example.org", "domains", "--domain"] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    let ran = folder.run_with(&["import", "-", "--domain", "s.example.org"], &env, lines);
    assert_eq!(ran.out, "3 imported, 0 already there, 0 rejected\n");
    let there = folder.links(&env);
    assert!(there.contains_key("https://s.example.org/a") && there.contains_key("https://s.example.org/b"));

    let unknown = folder.run_with(&["import", "-", "--domain", "elsewhere.example"], &env, lines);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("--domain: must be a configured domain"), "{}", unknown.err);
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
    folder.write("table.csv", "name,price\nx,1\n");
    let unknown = folder.fails(&["import", "table.csv"]);
    assert!(unknown.contains("target or url") && unknown.contains("--format"), "{unknown}");
    folder.write("utf16.txt", "");
    std::fs::write(folder.path().join("utf16.txt"), [0xff, 0xfe, b'h', 0]).unwrap();
    assert!(folder.fails(&["import", "utf16.txt"]).contains("UTF-8"));
    assert_eq!(folder.files(), ["table.csv", "utf16.txt"]);
}

#[test]
fn numbers_and_ids_that_no_link_can_have_are_rejected() {
    let folder = Folder::new();
    folder.write(
        "in",
        r#"{"target": "https://example.com/1", "clicks": 9223372036854775807}
{"target": "https://example.com/2", "id": "00000000-0000-0000-0000-000000000000"}
{"target": "https://example.com/3", "version": 0}
{"target": "https://example.com/4", "clicks": 9007199254740991}
"#,
    );
    let ran = folder.run(&["import", "in"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), "1 imported, 0 already there, 3 rejected\n"));
    let report = folder.read("in.rejects.txt");
    for start in
        ["line 1: clicks: must be less than", "line 2: id: must not be the nil UUID", "line 3: version: must be"]
    {
        assert!(report.lines().any(|line| line.starts_with(start)), "{start}: {report}");
    }
}
