#!/usr/bin/env bash
# Has everything that can go wrong go wrong with real servers, and writes docs/certification.md. It takes most of an hour, on a
# machine that does nothing else. Arguments go to the tests, for example: scripts/certify.sh -only 'redis/SIGSTOP'
set -euo pipefail
cd "$(dirname "$0")/.."

environment=$(scripts/prepare-services.sh)
eval "$environment"
binary=$(mktemp)
trap 'rm -f "$binary"' EXIT
go test -C certification -c -o "$binary" .
cd certification
certify() { "$binary" -test.v -test.timeout 90m "$@"; }

if [ $# -gt 0 ]; then
  certify -test.run '^(TestMatrix$|TestScale_)' -certify -write "$@"
else
  # One fault per kind of server at a time, two kinds beside each other; what is counted in bytes a second comes alone.
  for kinds in 'redis consul' 'dynamodb sqlite' 'redis-sentinel redis-cluster'; do
    running=()
    for kind in $kinds; do
      certify -test.run '^TestMatrix$' -certify -write -only "^$kind/" &
      running+=($!)
    done
    for one in "${running[@]}"; do wait "$one"; done
  done
  certify -test.run '^TestScale_' -certify -write
fi
certify -test.run '^TestDocument$' -write
