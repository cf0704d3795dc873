//! Runs `ringmain_fuzz::h1_response` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringmain_fuzz::h1_response::check(bytes));
