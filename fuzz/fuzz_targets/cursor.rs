//! Nobody makes up a cursor.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| boltlink_server::fuzzing::cursor(text));
