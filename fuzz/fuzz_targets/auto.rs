//! Runs `ringmain_fuzz::auto` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringmain_fuzz::auto::check(bytes));
