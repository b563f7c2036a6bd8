//! A header of proxies names a client, or nobody.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| boltlink_server::fuzzing::forwarded(bytes));
