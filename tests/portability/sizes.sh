#!/usr/bin/env bash
# sizes.sh OUT COMPILER FLAG...: builds the unit tests of what counts bytes as OUT with that compiler and those flags, and
# runs them. Where the file DUPQ_NEEDS is not installed it exits 77, skipped, but fails where CI=true.
set -euo pipefail
out=$1
shift
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ ! -e "$DUPQ_NEEDS" ]; then
  echo "skipped: $DUPQ_NEEDS is not installed"
  if [ "${CI:-}" = true ]; then exit 1; fi
  exit 77
fi
"$@" -std=c++20 -Wall -Wextra -Wconversion -Wshadow -Werror -I "$tests/../include" -I "$tests" -I "$tests/../tools/dupq" \
  -DDUPQ_TEST_DIR="\"$tests/unit\"" -o "$out" "$tests"/unit/{main,arena,workspace,gguf,file}.cpp -pthread
"$out"
