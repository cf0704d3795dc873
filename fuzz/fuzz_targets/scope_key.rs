//! Runs `ringmain_fuzz::scope_key` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringmain_fuzz::scope_key::check(bytes));
