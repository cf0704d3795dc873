//! Runs `ringmain_fuzz::route_match` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringmain_fuzz::route_match::check(bytes));
