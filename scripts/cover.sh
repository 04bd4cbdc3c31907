#!/usr/bin/env bash
# Fails if less than 90 % of the statements of a package that everything rests on are covered by its own tests.
set -euo pipefail
cd "$(dirname "$0")/.."

floor=90
go test -cover ./caching ./conformance | tee >(cat >&2) | awk -v floor="$floor" '
	match($0, /coverage: [0-9.]+% of statements/) {
		seen++
		share = substr($0, RSTART + 10) + 0
		printf "%-40s %s %%\n", $2, share
		if (share <= floor) { print $2 ": coverage must exceed " floor " %"; low = 1 }
	}
	END { exit low || seen != 2 }'
