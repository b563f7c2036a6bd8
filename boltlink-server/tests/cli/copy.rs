//! copy between files, and what it refuses.

use crate::Folder;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("links.txt", "https://example.com/1\nhttps://example.com/2\n");
    folder.ok(&["import", "links.txt"]);
    folder.ok(&["keys", "create", "one"]);
    folder
}

#[test]
fn a_copied_file_is_the_same_database() {
    let folder = folder();
    let printed = folder.ok(&["copy", "--to", "sqlite:new.db"]);
    for part in ["./boltlink.db is copied to new.db, and both were compared", "link ", "api_key "] {
        assert!(printed.contains(part), "{printed}");
    }
    let new = [("DATABASE_URL", "sqlite:new.db")];
    for command in ["export", "keys list"] {
        let command: Vec<_> = command.split(' ').collect();
        assert_eq!(folder.run_with(&command, &new, "").out, folder.ok(&command), "{command:?}");
    }
    assert!(folder.ok(&["export"]).lines().count() == 2);
    // And once more, by variables.
    folder.write("to", "sqlite://third.db\n");
    let env = [("BOLTLINK_COPY_FROM", "sqlite:new.db"), ("BOLTLINK_COPY_TO_FILE", "to")];
    let copied = folder.run_with(&["copy"], &env, "");
    assert_eq!((copied.code, copied.err.as_str()), (Some(0), ""), "{copied:?}");
    assert_eq!(folder.run_with(&["export"], &[("DATABASE_URL", "sqlite:third.db")], "").out, folder.ok(&["export"]));
}

#[test]
fn what_cannot_be_copied_is_refused_and_nothing_is_made() {
    let folder = folder();
    let files = folder.files();
    let refused = |args: &[&str], parts: &[&str]| {
        let said = folder.fails(&[&["copy"], args].concat());
        for part in parts {
            assert!(said.contains(part), "{said}");
        }
        assert!(!said.contains("hunter2"), "{said}");
    };
    refused(&[], &["--to or BOLTLINK_COPY_TO"]);
    refused(&["--from", "sqlite:none.db", "--to", "sqlite:new.db"], &["there is no database at none.db"]);
    refused(&["--to", "sqlite:./boltlink.db"], &["to itself"]);
    refused(&["--to", "mysql://me:hunter2@host/x"], &["--to must be sqlite:"]);
    refused(&["--from", "postgres://me:hunter2@host/x?sslmode=hunter2", "--to", "sqlite:x"], &["--from must be like"]);
    assert_eq!(folder.files(), files);
    folder.ok(&["copy", "--to", "sqlite:new.db"]);
    refused(&["--to", "sqlite:new.db"], &["the target is not empty", "into a new database"]);
}
