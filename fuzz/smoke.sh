#!/bin/sh
# Builds every fuzz target on the stable toolchain and runs each for so many seconds.
# Usage: fuzz/smoke.sh [SECONDS [TARGET...]]
# What is found is kept under fuzz/artifacts; nothing is written into the seed corpus.
set -eu
cd "$(dirname "$0")"
seconds=${1:-10}
[ $# -eq 0 ] || shift
triple=$(rustc -vV | sed -n 's/^host: //p')

# With --target, so that build scripts and procedural macros are built without these.
export RUSTFLAGS="-Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares \
--cfg fuzzing"
cargo build --quiet --locked --release --target "$triple"

if [ $# -eq 0 ]; then
    for file in fuzz_targets/*.rs; do
        set -- "$@" "$(basename "$file" .rs)"
    done
fi
binaries=${CARGO_TARGET_DIR:-target}/$triple/release
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=
for target in "$@"; do
    mkdir -p "$scratch/$target" "corpus/$target" "artifacts/$target"
    if "$binaries/$target" "$scratch/$target" "corpus/$target" \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=4096 \
        -artifact_prefix="artifacts/$target/" >"$scratch/$target.log" 2>&1; then
        echo "ok      $target: $(sed -n 's/^Done //p' "$scratch/$target.log")"
    else
        failed="$failed $target"
        echo "FAILED  $target"
        tail -n 40 "$scratch/$target.log"
    fi
done
[ -z "$failed" ] || {
    echo "found something:$failed" >&2
    exit 1
}
