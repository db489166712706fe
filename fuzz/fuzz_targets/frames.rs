//! Frames as they come from a socket.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ottla_fuzzed::frames(bytes));
