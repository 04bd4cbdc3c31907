#!/usr/bin/env bash
# Runs all tests under the race detector. Arguments are passed to go test, for example: scripts/test.sh -count=5
set -euo pipefail
cd "$(dirname "$0")/.."

# The tests of the README run go mod tidy without a network, which needs modules that nothing else does.
for module in . ldbridge; do
  (cd "$module" && go mod tidy -diff >/dev/null)
done

environment=$(scripts/prepare-services.sh)
eval "$environment"
go test -race -timeout 15m "$@" ./...
go test -C ldbridge -race -timeout 15m "$@" ./... # LaunchDarkly's own suites for stores among them
go test -C certification -timeout 10m ./... # a few faults; make certify makes all
exec go test -C benchmarks -skip '^TestMeasure$' ./... # limits of allocations and requests; make bench measures times
