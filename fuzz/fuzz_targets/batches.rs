//! Batches as producers send them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    ottla_fuzzed::batches(bytes, true);
    let mut sealed = bytes.to_vec();
    ottla_fuzzed::seal(&mut sealed);
    ottla_fuzzed::batches(&sealed, true);
});
