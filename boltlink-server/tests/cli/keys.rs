//! The life of a key.

use crate::Folder;

#[test]
fn keys_are_made_listed_and_revoked() {
    let folder = Folder::new();
    let token = folder.ok(&["keys", "create", "my website"]);
    assert!(token.starts_with("blt_") && token.trim_end().len() == 4 + 32 + 1 + 64, "{token}");
    folder.ok(&["keys", "create", "ops", "--admin", "--expires-in", "90d"]);
    folder.ok(&["keys", "create", "gone", "--expires-in", "0s"]);

    let list = folder.ok(&["keys", "list"]);
    let lines: Vec<Vec<_>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["ID", "STATE", "CREATED", "EXPIRES", "USED", "SCOPES", "NAME"]);
    assert_eq!(lines[1][1], "valid");
    assert_eq!(lines[1][3..], ["never", "never", "links:read,links:write,analytics:read", "my", "website"]);
    assert_eq!((lines[2][1], lines[2][5]), ("valid", "admin"));
    assert_eq!(lines[3][1], "expired");
    let id = lines[1][0];
    assert_eq!(id.replace('-', ""), token[4..36], "the id is the token's public part");
    assert!(!list.contains(&token[37..69]), "secrets are shown once");

    assert!(folder.ok(&["keys", "revoke", id]).contains(id));
    folder.ok(&["keys", "revoke", id]);
    let list = folder.ok(&["keys", "list"]);
    assert!(list.lines().any(|line| line.starts_with(id) && line.contains("revoked")), "{list}");
}

#[test]
fn a_key_is_bound_shown_and_rotated() {
    let folder = Folder::new();
    let bounds = ["--scope", "links:read,keys:read", "--network", "10.1.2.3/8", "--network", "::1"];
    let token = folder.ok(&[["keys", "create", "bound"].as_slice(), &bounds].concat());
    let list = folder.ok(&["keys", "list"]);
    let id = list.lines().nth(1).unwrap().split(' ').next().unwrap();
    let shown = folder.ok(&["keys", "show", id]);
    for line in
        ["scopes            links:read, keys:read", "domains           all", "networks          10.0.0.0/8, ::1/128"]
    {
        assert!(shown.contains(line), "{shown}");
    }
    let rotated = folder.ok(&["keys", "rotate", id, "--grace", "1h"]);
    assert!(rotated[..37] == token[..37] && rotated[37..] != token[37..], "{rotated}");
    assert!(!folder.ok(&["keys", "show", id]).contains("old secret until  -"));
    folder.ok(&["keys", "revoke", id]);
    assert!(folder.fails(&["keys", "rotate", id]).contains("does not exist"));
}

#[test]
fn mistakes_are_explained() {
    let folder = Folder::new();
    assert!(folder.fails(&["keys", "list"]).contains("there is no database"));
    assert_eq!(folder.files(), [""; 0]);
    folder.ok(&["migrate"]);
    assert!(folder.fails(&["keys", "revoke", "019ab2c4-6f1e-7cc3-98c4-dc0c0c07398f"]).contains("does not exist"));
    for args in [
        ["keys", "create", " "].as_slice(),
        &["keys", "create", "x", "--expires-in", "90"],
        &["keys", "revoke", "x"],
        &["keys", "create", "x", "--scope", "all"],
        &["keys", "create", "x", "--network", "10.0.0.0/99"],
    ] {
        let ran = folder.run(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
        assert!(ran.err.contains("must"), "{ran:?}");
    }
}
