//! A target that is taken is absolute, stays what it is when it is read again, and makes a header.
#![no_main]

use boltlink_core::{TargetRules, TargetUrl};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let rules = TargetRules::default();
    let Ok(target) = TargetUrl::parse(text, &rules) else { return };
    let kept = target.as_str();
    assert!(kept.starts_with("http://") || kept.starts_with("https://"), "{kept}");
    assert!(kept.bytes().all(|byte| byte.is_ascii_graphic()), "{kept:?}");
    assert_eq!(TargetUrl::parse(kept, &rules).map(|again| again.as_str().to_owned()).as_deref(), Ok(kept));
    assert_eq!(target.location().as_bytes(), kept.as_bytes());
});
