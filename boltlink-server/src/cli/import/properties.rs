//! Whatever stands in a file: reading it ends, breaks nothing, and tells where each record began.

use clap::ValueEnum;
use proptest::prelude::*;

use super::{
    anything::{records, site},
    format::Format,
};
use crate::cli::record;

fn formats() -> impl Strategy<Value = Format> {
    prop::sample::select(Format::value_variants())
}

/// Text that gets further than rubbish does: pieces of what files of all formats are made of.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "target",
        "slug",
        "url",
        "long_url",
        "Long URL",
        "keyword",
        "shortCode",
        "longUrl",
        "address",
        "tags",
        "clicks",
        "created_at",
        "password",
        "expire_in",
        "id",
        "version",
        "https://example.com/",
        "//",
        "a b",
        "ä",
        "日本",
        "0",
        "-1",
        "18446744073709551616",
        "1e9",
        "null",
        "true",
        "2021-05-06",
        "0000-00-00 00:00:00",
        ",",
        ";",
        "\t",
        "\"",
        "\"\"",
        "\n",
        "\r\n",
        "\r",
        "{",
        "}",
        "[",
        "]",
        ":",
        "{\"data\":[",
        "\\u0000",
        "\\",
        "#",
        "\u{feff}",
        "\0",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_in_a_file_is_read_or_refused(
        format in formats(),
        bytes in prop_oneof![any::<Vec<u8>>(), likely(), likely()],
        domain in prop::option::of(prop::sample::select(vec!["localhost:5000", "nowhere.example"])),
    ) {
        let site = site();
        let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).count() as u64;
        for record in records(format, &bytes, domain) {
            prop_assert!((1..=lines).contains(&record.line), "{record:?} of {lines} lines");
            // A link, or what is wrong: told by a reason, which the report has a line for.
            let wrong = match record.fields {
                Ok(fields) => record::read(fields, &site).err().unwrap_or_default(),
                Err(wrong) => vec![wrong],
            };
            for wrong in wrong {
                prop_assert!(!wrong.reason.is_empty(), "{wrong:?}");
            }
        }
    }

    #[test]
    fn a_link_among_rubbish_is_found(before in "[ -~]{0,40}", after in "[ -~]{0,40}") {
        // Neither a heading nor JSON, by which the whole would be taken for something else.
        let text = format!("# urls\n{before}\n{{\"target\": \"https://example.com/found\"}}\n{after}\n");
        let site = site();
        let found = records(Format::Ndjson, text.as_bytes(), None).into_iter().filter(|record| record.line == 3);
        let found: Vec<_> = found.filter_map(|record| record::read(record.fields.ok()?, &site).ok()).collect();
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(found[0].target.as_str(), "https://example.com/found");
    }
}
