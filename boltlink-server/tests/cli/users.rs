//! The life of an account.

use crate::Folder;

const ADA: &str = "ada@example.com";

/// The state of each account, by address.
fn states(folder: &Folder) -> Vec<(String, String, String)> {
    let list = folder.ok(&["users", "list"]);
    let mut lines = list.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(lines.next().unwrap(), ["ID", "ROLE", "STATE", "CREATED", "LOGGED", "IN", "EMAIL"]);
    lines.map(|line| (line.last().unwrap().clone(), line[1].clone(), line[2].clone())).collect()
}

fn state(email: &str, role: &str, state: &str) -> (String, String, String) {
    (email.to_owned(), role.to_owned(), state.to_owned())
}

#[test]
fn accounts_are_made_listed_disabled_and_reset() {
    let folder = Folder::new();
    let link = folder.ok(&["users", "create-admin", " Ada@Example.com", "--base-url", "https://go.example.com"]);
    let ticket = link.trim_end().strip_prefix("https://go.example.com/login/password?ticket=blo_").unwrap();
    assert_eq!(ticket.len(), 32 + 1 + 64);
    folder.ok(&["users", "invite", "bob@example.com"]);
    let args = ["users", "invite", "eve@example.com", "--role", "viewer", "--password-stdin"];
    let ran = folder.run_with(&args, &[], "correct horse battery staple\nmore\n");
    assert!(ran.code == Some(0) && ran.out == "eve@example.com can log in.\n", "{ran:?}");
    let invited = [state(ADA, "admin", "invited"), state("bob@example.com", "editor", "invited")];
    assert_eq!(states(&folder), [&invited[..], &[state("eve@example.com", "viewer", "active")]].concat());

    let again = folder.ok(&["users", "reset-password", ADA]);
    assert!(again.contains("?ticket=blo_") && again.trim_end() != link.trim_end());
    assert_eq!(folder.ok(&["users", "disable", "ADA@example.com"]), "ada@example.com is disabled.\n");
    assert_eq!(states(&folder)[0], state(ADA, "admin", "disabled"));
    folder.ok(&["users", "enable", ADA]);
    assert_eq!(states(&folder)[0], state(ADA, "admin", "invited"));
}

#[test]
fn mistakes_are_explained() {
    let folder = Folder::new();
    assert!(folder.fails(&["users", "list"]).contains("there is no database"));
    assert_eq!(folder.files(), [""; 0]);
    let ran = folder.run_with(&["users", "create-admin", ADA, "--password-stdin"], &[], "password1234\n");
    assert!(ran.code == Some(1) && ran.err.contains("easy to guess") && ran.err.contains("fix:"), "{ran:?}");
    assert!(!ran.err.contains("password1234"));
    let ran = folder.run_with(&["users", "create-admin", ADA, "--password-stdin"], &[], "short");
    assert!(ran.code == Some(1) && ran.err.contains("12 to 128 characters"), "{ran:?}");
    assert!(states(&folder).is_empty(), "nothing was made");
    folder.ok(&["users", "create-admin", ADA]);
    assert!(folder.fails(&["users", "invite", ADA]).contains("there is an account of this e-mail address"));
    let unknown = folder.fails(&["users", "disable", "nobody@example.com"]);
    assert!(
        unknown.contains("there is no account of nobody@example.com") && unknown.contains("users list"),
        "{unknown}"
    );
    for args in [["users", "invite", "nonsense"].as_slice(), &["users", "invite", "x@example.com", "--role", "owner"]] {
        assert_eq!(folder.run(args).code, Some(2), "{args:?}");
    }
}
