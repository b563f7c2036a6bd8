//! shorten, export, migrate, openapi.

use crate::Folder;

#[test]
fn shorten_prints_a_short_url() {
    let folder = Folder::new();
    let url = folder.ok(&["shorten", "https://example.com/a"]);
    let slug = url.trim_end().strip_prefix("http://127.0.0.1:5000/").unwrap();
    assert_eq!(slug.len(), 7, "{url}");
    assert_eq!(folder.ok(&["shorten", "https://example.com/b", "--slug", "mine"]), "http://127.0.0.1:5000/mine\n");
    assert!(folder.path().join("boltlink.db").exists());
}

#[test]
fn shorten_knows_the_domains() {
    let folder = Folder::new();
    let env = [("BOLTLINK_BASE_URL", "https://go.example.com"), ("BOLTLINK_DOMAINS", "s.example.org")];
    let shorten =
        |domain| folder.run_with(&["shorten", "https://example.com/", "--slug", "x", "--domain", domain], &env, "");
    assert_eq!(shorten("s.example.org").out, "https://s.example.org/x\n");
    assert_eq!(shorten("go.example.com").out, "https://go.example.com/x\n");
    let unknown = shorten("elsewhere.example");
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("go.example.com, s.example.org"), "{unknown:?}");
}

#[test]
fn shorten_says_what_is_wrong() {
    let folder = Folder::new();
    assert!(folder.fails(&["shorten", "example.com"]).contains("absolute URL"));
    assert!(folder.fails(&["shorten", "http://127.0.0.1:5000/x"]).contains("redirect loop"));
    assert_eq!(folder.files(), [""; 0], "nothing is made for a URL that is wrong");
    folder.ok(&["shorten", "https://example.com/", "--slug", "mine"]);
    assert!(folder.fails(&["shorten", "https://example.org/", "--slug", "mine"]).contains("already taken"));
    assert!(folder.fails(&["shorten", "https://example.org/", "--slug", "api"]).contains("reserved"));
}

#[test]
fn export_wants_a_database_and_makes_none() {
    let folder = Folder::new();
    assert!(folder.fails(&["export"]).contains("--data-dir"));
    assert_eq!(folder.files(), [""; 0]);
}

#[test]
fn migrate_makes_a_database_where_it_is_told_to() {
    let folder = Folder::new();
    folder.ok(&["migrate", "--data-dir", "data/here"]);
    folder.ok(&["migrate", "--data-dir", "data/here"]);
    assert_eq!(folder.files(), ["data"]);
    assert_eq!(folder.ok(&["export", "--data-dir", "data/here"]), "");
    assert_eq!(folder.run_with(&["migrate"], &[("DATABASE_URL", "sqlite:other.db")], "").code, Some(0));
    assert!(folder.path().join("other.db").exists());
}

#[test]
fn openapi_prints_a_document() {
    let folder = Folder::new();
    let document: serde_json::Value = serde_json::from_str(&folder.ok(&["openapi"])).unwrap();
    assert!(document["paths"]["/api/v1/links"]["post"].is_object());
    assert_eq!(folder.files(), [""; 0]);
}
