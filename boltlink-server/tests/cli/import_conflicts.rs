//! import where a slug is taken.

use crate::Folder;

const LINES: &str = "{\"slug\":\"first\",\"target\":\"https://example.com/first\"}\n\
                     {\"slug\":\"taken\",\"target\":\"https://example.com/new\"}\n\
                     {\"slug\":\"last\",\"target\":\"https://example.com/last\"}\n";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.ok(&["shorten", "https://example.com/old", "--slug", "taken"]);
    folder
}

fn targets(folder: &Folder) -> Vec<String> {
    let links = folder.links(&[]);
    let mut targets: Vec<_> = links.values().map(|link| link["target"].as_str().unwrap().to_owned()).collect();
    targets.sort();
    targets
}

#[test]
fn skip_rejects_the_link() {
    let folder = folder();
    let ran = folder.run_with(&["import", "-"], &[], LINES);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), "2 imported, 0 already there, 1 rejected\n"));
    assert_eq!(ran.err, "line 2: slug: is taken by a link to another target\n");
}

#[test]
fn fail_stops_before_it_and_stores_nothing_after_it() {
    let folder = folder();
    for (args, there) in [
        (&["import", "-", "--on-conflict", "fail", "--dry-run"][..], 1),
        (&["import", "-", "--on-conflict", "fail"], 2),
    ] {
        let ran = folder.run_with(args, &[], LINES);
        assert_eq!(ran.code, Some(1));
        assert!(ran.err.contains("line 2: slug: is taken"), "{}", ran.err);
        assert_eq!(targets(&folder).len(), there);
    }
    assert_eq!(targets(&folder), ["https://example.com/first", "https://example.com/old"]);
    let same = "{\"slug\":\"taken\",\"target\":\"https://example.com/old\"}\n";
    let ran = folder.run_with(&["import", "-", "--on-conflict", "fail"], &[], same);
    assert_eq!(ran.out, "0 imported, 1 already there, 0 rejected\n", "the same link is no conflict");
    let twice = "{\"slug\":\"x\",\"target\":\"https://example.com/1\"}\n{\"slug\":\"x\",\"target\":\"https://example.com/2\"}\n";
    let ran = folder.run_with(&["import", "-", "--on-conflict", "fail"], &[], twice);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("line 2: slug: is taken"), "{}", ran.err);
}

#[test]
fn rename_gives_another_slug_once_and_tells_it() {
    let folder = folder();
    folder.write("in", LINES);
    let dry = folder.run(&["import", "in", "--on-conflict", "rename", "--dry-run"]);
    assert_eq!(dry.out, "dry run: 3 imported (1 under another slug), 0 already there, 0 rejected\n");
    let ran = folder.run(&["import", "in", "--on-conflict", "rename"]);
    let tally = "3 imported (1 under another slug), 0 already there, 0 rejected\n";
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), tally));
    let links = folder.links(&[]);
    let renamed = links.values().find(|link| link["target"] == "https://example.com/new").unwrap();
    let slug = renamed["slug"].as_str().unwrap();
    let told = format!("line 2: slug: taken is taken by a link to another target; imported as {slug}\n");
    assert_eq!(folder.read("in.rejects.txt"), told);

    let again = folder.run(&["import", "in", "--on-conflict", "rename"]);
    assert_eq!(again.out, "0 imported, 3 already there, 0 rejected\n");
    assert_eq!(folder.links(&[]), links);
}

#[test]
fn a_renamed_link_keeps_its_clicks() {
    let folder = folder();
    let line = r#"{"slug": "taken", "target": "https://example.com/new", "clicks": 5, "max_visits": 9}"#;
    let ran = folder.run_with(&["import", "-", "--on-conflict", "rename"], &[], line);
    assert_eq!(ran.out, "1 imported (1 under another slug), 0 already there, 0 rejected\n");
    let links = folder.links(&[]);
    let renamed = links.values().find(|link| link["target"] == "https://example.com/new").unwrap();
    assert_eq!((&renamed["clicks"], &renamed["max_visits"]), (&5.into(), &9.into()));
}
