//! How slugs are told apart: fixed by the first start, changed by a checked migration.

use crate::{Folder, Ran};

const LOOSE: &[(&str, &str)] = &[("BOLTLINK_SLUG_CASE", "insensitive")];

fn shorten(folder: &Folder, slug: &str, env: &[(&str, &str)]) -> Ran {
    folder.run_with(&["shorten", "https://example.com/", "--slug", slug], env, "")
}

#[track_caller]
fn made(ran: &Ran, slug: &str) {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.ends_with(&format!("/{slug}\n")), "{ran:?}");
}

#[test]
fn the_first_start_decides_whether_case_matters() {
    let folder = Folder::new();
    made(&shorten(&folder, "AbC", LOOSE), "abc");
    let refused = shorten(&folder, "abC", LOOSE);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("taken"), "{refused:?}");
    // Nothing said is a wish, too.
    for env in [&[][..], &[("BOLTLINK_SLUG_CASE", "sensitive")]] {
        let refused = shorten(&folder, "x", env);
        assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
        for part in ["fix: set BOLTLINK_SLUG_CASE=insensitive", "boltlink migrate --change-slug-case sensitive"] {
            assert!(refused.err.contains(part), "{refused:?}");
        }
    }
    assert!(folder.ok(&["migrate", "--change-slug-case", "sensitive"]).contains("case-sensitive now; 0 are"));
    made(&shorten(&folder, "abC", &[]), "abC");
}

#[test]
fn a_change_that_would_make_two_links_one_changes_nothing() {
    let folder = Folder::new();
    for slug in ["Abc", "aBC", "Other"] {
        made(&shorten(&folder, slug, &[]), slug);
    }
    let refused = folder.fails(&["migrate", "--change-slug-case", "insensitive"]);
    for part in ["nothing was changed", "abc of the default domain", "fix: give all but one of them another slug"] {
        assert!(refused.contains(part), "{refused}");
    }
    assert!(!refused.contains("other of"), "{refused}");
    // All is as it was.
    assert_eq!(shorten(&folder, "x", LOOSE).code, Some(1));
    made(&shorten(&folder, "abc", &[]), "abc");
}

#[test]
fn a_change_spells_slugs_anew() {
    let folder = Folder::new();
    for slug in ["Abc", "other"] {
        made(&shorten(&folder, slug, &[]), slug);
    }
    let done = folder.ok(&["migrate", "--change-slug-case", "insensitive"]);
    assert!(done.contains("1 are spelled anew. Start the server with BOLTLINK_SLUG_CASE=insensitive"), "{done}");
    assert!(shorten(&folder, "ABC", LOOSE).err.contains("taken"));
    assert_eq!(shorten(&folder, "x", &[]).code, Some(1), "the old way is refused from now on");
    let again = folder.ok(&["migrate", "--change-slug-case", "insensitive"]);
    assert!(again.contains("0 are spelled anew"), "{again}");
}

#[test]
fn other_scripts_can_be_switched_on_at_any_time() {
    let folder = Folder::new();
    let refused = shorten(&folder, "käse", &[]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("letters A-Z"), "{refused:?}");
    made(&shorten(&folder, "ka\u{308}se", &[("BOLTLINK_UNICODE_SLUGS", "on")]), "k%C3%A4se");
    made(&shorten(&folder, "plain", &[]), "plain");
}
