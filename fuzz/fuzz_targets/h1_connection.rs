//! Runs `ringmain_fuzz::h1_connection` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringmain_fuzz::h1_connection::check(bytes));
