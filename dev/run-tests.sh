#!/usr/bin/env bash
# Runs every test with servers of its own. The exit code is cargo's; the last line is the number of tests.
set -uo pipefail
cd "$(dirname "$0")/.."

# Where it isn't to be had, the one test that needs it fails and says so.
PROMTOOL=${PROMTOOL:-$(target/debug/local-stack promtool)}
export PROMTOOL

output=$(mktemp)
trap 'rm -f "$output"' EXIT

target/debug/local-stack exec -- cargo test --workspace --no-fail-fast "$@" 2>&1 | tee "$output"
code=${PIPESTATUS[0]}

awk '/^test result: / {
         for (word = 2; word <= NF; word++) {
             if ($word == "passed;") passed += $(word - 1)
             if ($word == "failed;") failed += $(word - 1)
         }
     }
     END { printf "%d passed, %d failed\n", passed, failed }' "$output"
exit "$code"
