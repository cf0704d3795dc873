//! Runs `ringmain_fuzz::substitution_format` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringmain_fuzz::substitution_format::check(bytes));
