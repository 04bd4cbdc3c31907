#!/usr/bin/env bash
# Measures cleat beside LaunchDarkly's SDK and writes docs/benchmarks.md. Arguments replace -write, for example:
# scripts/bench.sh -run redis/ (see benchmarks/doc.go)
set -euo pipefail
cd "$(dirname "$0")/.."

environment=$(scripts/prepare-services.sh)
eval "$environment"
[ $# -gt 0 ] || set -- -write
exec go test -C benchmarks -run '^TestMeasure$' -timeout 60m -args -measure "$@"
