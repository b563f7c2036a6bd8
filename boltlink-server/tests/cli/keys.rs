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
    assert_eq!(lines[0], ["ID", "ROLE", "STATE", "CREATED", "EXPIRES", "NAME"]);
    assert_eq!(lines[1][1..3], ["member", "valid"]);
    assert_eq!(lines[1][4..], ["never", "my", "website"]);
    assert_eq!(lines[2][1..3], ["admin", "valid"]);
    assert_eq!(lines[3][1..3], ["member", "expired"]);
    let id = lines[1][0];
    assert_eq!(id.replace('-', ""), token[4..36], "the id is the token's public part");
    assert!(!list.contains(&token[37..69]), "secrets are shown once");

    assert!(folder.ok(&["keys", "revoke", id]).contains(id));
    folder.ok(&["keys", "revoke", id]);
    let list = folder.ok(&["keys", "list"]);
    assert!(list.lines().any(|line| line.starts_with(id) && line.contains("revoked")), "{list}");
}

#[test]
fn mistakes_are_explained() {
    let folder = Folder::new();
    assert!(folder.fails(&["keys", "list"]).contains("there is no database"));
    assert_eq!(folder.files(), [""; 0]);
    folder.ok(&["migrate"]);
    assert!(folder.fails(&["keys", "revoke", "019ab2c4-6f1e-7cc3-98c4-dc0c0c07398f"]).contains("does not exist"));
    for args in
        [["keys", "create", " "].as_slice(), &["keys", "create", "x", "--expires-in", "90"], &["keys", "revoke", "x"]]
    {
        let ran = folder.run(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
        assert!(ran.err.contains("must"), "{ran:?}");
    }
}
