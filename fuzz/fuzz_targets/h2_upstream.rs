//! Runs `ringmain_fuzz::h2_upstream` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringmain_fuzz::h2_upstream::check(bytes));
