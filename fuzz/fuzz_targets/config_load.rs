//! Runs `ringmain_fuzz::config_load` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringmain_fuzz::config_load::check(bytes));
