//! A slug that is taken is taken again as it is spelled, in bodies and in paths.
#![no_main]

use boltlink_core::{SlugCase, SlugRules};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for case in [SlugCase::Sensitive, SlugCase::Insensitive] {
        for unicode in [false, true] {
            let rules = SlugRules { case, unicode };
            if let Ok(slug) = rules.parse(text) {
                assert_eq!(rules.parse(slug.as_str()).as_ref(), Ok(&slug));
                assert_eq!(rules.parse_segment(slug.as_str()).as_ref(), Ok(&slug));
                assert_eq!(slug.as_str().parse().as_ref(), Ok(&slug), "as a store reads it");
            }
            if let Ok(slug) = rules.parse_segment(text) {
                assert_eq!(rules.parse(slug.as_str()), Ok(slug));
            }
        }
    }
});
