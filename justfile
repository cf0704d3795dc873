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

# A minute of each fuzz target. Needs cargo-fuzz and a nightly toolchain.
fuzz-short:
    for target in $(ls fuzz/fuzz_targets | sed 's/\.rs$//'); do cargo +nightly fuzz run --features libfuzzer $target -- -max_total_time=60; done

# What ringmain, Envoy, nginx and HAProxy make of the same requests, to target/differential.tsv.
differential:
    rm -f target/differential.tsv
    DIFFERENTIAL=$PWD/target/differential.tsv cargo test -p ringmain-tests --test http1_framing -- chunks:: connection:: content_length:: header_lines:: pipelines:: request_line:: target_and_host:: trailers:: transfer_encoding:: --skip mutations

# Twenty minutes of mixed load, ten on each engine, while hosts and certificates change.
soak:
    SOAK_SECONDS=600 cargo test --release -p ringmain-tests --test soak -- --nocapture

# Licences and advisories. Needs cargo-deny.
deny:
    cargo deny check
