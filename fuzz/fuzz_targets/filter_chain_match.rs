//! Runs `ringmain_fuzz::filter_chain_match` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringmain_fuzz::filter_chain_match::check(bytes));
