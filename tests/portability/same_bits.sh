#!/usr/bin/env bash
# same_bits.sh PROGRAM OUT MODELS TABLES RUNNER COMPILER FLAG...: builds PROGRAM.cpp as OUT with that compiler and those flags and
# runs it under RUNNER (`env` where none is needed) over the converted golden models in MODELS. TABLES (several in one
# argument) must be among its kernel tables. Where the compiler, the runner or the file DUPQ_NEEDS is not installed it
# exits 77, skipped, but fails where CI=true.
set -euo pipefail
program=$1 out=$2 models=$3 tables=$4 runner=$5
shift 5
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

skip() {
  echo "skipped: $1 is not installed"
  if [ "${CI:-}" = true ]; then exit 1; fi
  exit 77
}
for command in "$1" "$runner"; do command -v "$command" >/dev/null || skip "$command"; done
if [ -n "${DUPQ_NEEDS:-}" ] && [ ! -e "$DUPQ_NEEDS" ]; then skip "$DUPQ_NEEDS"; fi

"$@" -std=c++20 -Wall -Wextra -Wconversion -Wshadow -Werror -I "$tests/../include" -I "$tests" -o "$out" \
  "$tests/portability/$program.cpp"
read -ra names <<<"$tables"
"$runner" "$out" "$models" "$tests/golden" "${names[@]}"
