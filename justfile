# Shortcuts for people. CI needs only cargo: see .ci/run.

# Everything that CI checks.
ci:
    .ci/run

# The embedded demo.
run:
    cargo run --release

# Side by side with Envoy, nginx and HAProxy. Needs wrk; nginx and haproxy where they are to be measured.
bench *ARGS:
    cargo run --release -p ringmain-bench -- {{ARGS}}

# Microbenchmarks.
criterion:
    cargo bench -p ringmain-bench

# A minute of each fuzz target, or as many seconds as told, or of one. Needs cargo-fuzz and a nightly toolchain.
fuzz-short SECONDS="60" TARGET="*":
    #!/usr/bin/env bash
    set -euo pipefail
    # Optimised each as a whole program, the targets take an hour to build.
    export CARGO_PROFILE_RELEASE_LTO=false
    for file in fuzz/fuzz_targets/{{TARGET}}.rs; do
        target=$(basename $file .rs)
        # What is new goes beside the corpus, not into it; what fails goes into fuzz/artifacts.
        mkdir -p target/fuzz/$target
        cargo +nightly fuzz run --features libfuzzer --codegen-units 16 $target target/fuzz/$target fuzz/corpus/$target -- \
            -max_total_time={{SECONDS}} -timeout=25 -print_final_stats=1
    done

# What ringmain, Envoy, nginx and HAProxy make of the same requests, to target/differential.tsv.
differential:
    DIFFERENTIAL=$PWD/target/differential.tsv cargo test -p ringmain-tests --test http1_framing -- chunks:: connection:: content_length:: header_lines:: pipelines:: request_line:: target_and_host:: trailers:: transfer_encoding:: --skip mutations

# Twenty minutes of mixed load, ten on each engine, while hosts and certificates change.
soak:
    SOAK_SECONDS=600 cargo test --release -p ringmain-tests --test soak -- --nocapture

# Licences and advisories. Needs cargo-deny.
deny:
    cargo deny check
