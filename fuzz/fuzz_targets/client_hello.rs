//! Runs `ringmain_fuzz::client_hello` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringmain_fuzz::client_hello::check(bytes));
