#!/usr/bin/env bash
# Fails if less than 90 % of the statements of a package that everything rests on are covered by its own tests.
set -euo pipefail
cd "$(dirname "$0")/.."

floor=90
for package in ./caching ./conformance; do
	profile=$(mktemp)
	go test -coverprofile="$profile" "$package" >&2
	total=$(go tool cover -func="$profile" | awk '$1 == "total:" { print $3 + 0 }')
	rm -f "$profile"
	printf '%-14s %s %%\n' "$package" "$total"
	awk -v total="$total" -v floor="$floor" 'BEGIN { exit !(total > floor) }' || {
		echo "$package: coverage must exceed $floor %" >&2
		exit 1
	}
done
