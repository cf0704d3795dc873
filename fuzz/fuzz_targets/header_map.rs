//! Runs `ringmain_fuzz::header_map` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringmain_fuzz::header_map::check(bytes));
