//! Bytes that are a batch of clicks are those that its clicks make.
#![no_main]

use boltlink_core::ClickBatch;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(batch) = ClickBatch::decode(Bytes::copy_from_slice(bytes)) else { return };
    assert_eq!(batch.clicks().count(), batch.len());
    let again = ClickBatch::new(batch.id(), batch.clicks());
    assert!(again.clicks().eq(batch.clicks()));
});
