//! A file to be imported is read to its end, record by record. Its first byte says the format.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| boltlink_server::fuzzing::import(bytes));
