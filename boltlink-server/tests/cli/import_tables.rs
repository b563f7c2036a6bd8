//! import of CSV as people and spreadsheets write it.

use std::fmt::Write;

use serde_json::json;

use crate::Folder;

#[test]
fn a_spreadsheet_with_semicolons_comes_as_it_is() {
    let folder = Folder::new();
    folder.sample("spreadsheet.csv");
    let ran = folder.run(&["import", "spreadsheet.csv"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), "2 imported, 0 already there, 3 rejected\n"));
    assert!(ran.err.contains("left out") && ran.err.contains("Budget"), "{}", ran.err);
    let links = folder.links(&[]);
    let plain = &links["http://127.0.0.1:5000/plain"];
    assert_eq!(plain["note"], "two\r\nlines; and a \"quote\"");
    assert_eq!(plain["tags"], json!(["green", "red"]));
    assert_eq!((&plain["redirect"], &plain["enabled"]), (&json!(308), &json!(true)));
    assert_eq!(plain["expires_at"], "2099-12-31T00:00:00Z");
    assert!(links.values().any(|link| link["target"] == "https://example.com/3" && link["enabled"] == false));
    let report = folder.read("spreadsheet.csv.rejects.txt");
    for start in [
        "line 2: slug: must consist of",
        "line 8: target: must be an absolute URL",
        "line 8: redirect: must be 301",
        "line 8: expires_at: must be an RFC 3339",
        "line 8: enabled: must be true or false",
        "line 9: the line: has 10 cells, but the header 8",
    ] {
        assert!(report.lines().any(|line| line.starts_with(start)), "{start}: {report}");
    }
}

#[test]
fn a_broken_record_costs_one_line() {
    let folder = Folder::new();
    let mut table = String::from("slug,target,note\nopen,https://example.com/open,\"never closed\n");
    for n in 0..700 {
        writeln!(table, "s{n},https://example.com/{n},").unwrap();
    }
    table.push_str(
        "multi,https://example.com/multi,\"two\nlines\"\n\"\"\",https://example.com/q,\nend,https://example.com/end,\"",
    );
    folder.write("t.csv", &table);
    let ran = folder.run(&["import", "t.csv"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), "701 imported, 0 already there, 3 rejected\n"));
    let report = folder.read("t.csv.rejects.txt");
    let lines: Vec<_> = report.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(lines, ["line 2", "line 705", "line 706"], "{report}");
    assert_eq!(folder.links(&[])["http://127.0.0.1:5000/multi"]["note"], "two\nlines");
}

#[test]
fn bytes_that_are_no_text_are_told() {
    let folder = Folder::new();
    folder.sample("latin1.csv");
    let ran = folder.run(&["import", "latin1.csv"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), "1 imported, 0 already there, 1 rejected\n"));
    assert_eq!(folder.read("latin1.csv.rejects.txt"), "line 2: the line: is not UTF-8 text\n");
}

#[test]
fn a_line_without_end_is_passed_over() {
    let folder = Folder::new();
    let long = "x".repeat(3 << 20);
    for (head, row) in [("", "https://example.com/"), ("slug,target\n", "a,https://example.com/")] {
        folder.write("in", &format!("{head}{long}\n{row}\n"));
        let ran = folder.run(&["import", "in", "--dry-run"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), "dry run: 1 imported, 0 already there, 1 rejected\n"));
        assert!(folder.read("in.rejects.txt").ends_with("the line: is too long\n"));
    }
}

#[test]
fn one_column_of_urls_is_a_table_too() {
    let folder = Folder::new();
    let ran =
        folder.run_with(&["import", "-"], &[], "URL\r\nhttps://example.com/a,b\r\n\"https://example.com/c,d\"\r\n");
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), "1 imported, 0 already there, 1 rejected\n"));
    let tabs = "target\tslug\t\r\nhttps://example.com/a,b\tx\t\r\n";
    assert_eq!(folder.run_with(&["import", "-"], &[], tabs).out, "1 imported, 0 already there, 0 rejected\n");
}

#[test]
fn a_table_of_ones_own_loses_no_column_that_has_a_name_of_ours() {
    let folder = Folder::new();
    let tables = [
        "id,Long URL,Short code,Note,Clicks\n1,https://example.com/1,one,remember,7\n",
        "keyword,url,tags,note,expires_at\ntwo,https://example.com/2,a|b,too,2099-01-01\n",
    ];
    for table in tables {
        let ran = folder.run_with(&["import", "-"], &[], table);
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), "1 imported, 0 already there, 0 rejected\n"), "{}", ran.err);
    }
    let links = folder.links(&[]);
    let (one, two) = (&links["http://127.0.0.1:5000/one"], &links["http://127.0.0.1:5000/two"]);
    assert_eq!((&one["note"], &one["clicks"]), (&json!("remember"), &json!(7)));
    assert_eq!((&two["tags"], &two["note"]), (&json!(["a", "b"]), &json!("too")));
    assert_eq!(two["expires_at"], "2099-01-01T00:00:00Z");
}
