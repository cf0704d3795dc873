//! Runs `ringmain_fuzz::rbac` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringmain_fuzz::rbac::check(bytes));
