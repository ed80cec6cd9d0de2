#!/usr/bin/env bash
# Checks dupq on an NVIDIA GPU, and measures it. One command, about eight minutes on 16 cores; its parts:
#   build      the tool, the tests of a chip and the benchmark, for this GPU alone
#   golden     the emulator's tests of whole models, on the chip
#   real       real models against the CPU: components, cosines, any batch, order and repeat the same bits
#   eval       dupq eval on a labelled file by CPU and by GPU: F1 changes by 0.001 at most
#   speed      dupq's questions a second, and the time that one takes
#   peers      bench/peers_gpu.py: beside PyTorch; left out, with a line, where torch or transformers is missing
#   sanitizer  memcheck, racecheck, synccheck and initcheck of every kernel on a small case
#
# tests/gpu.sh [--labelled FILE.csv] [--only PART[,PART...]] [MODEL...]
#
# MODEL is a Hugging Face folder, or a model file of floats, which `peers` leaves out; without one, all-MiniLM-L6-v2
# and all-mpnet-base-v2 are fetched. The labelled file has the columns question1, question2 and is_duplicate (default:
# examples/questions.csv, which is small). Every step ends after a time in which it should long be done, so that a
# kernel that hangs costs no other step. What fails is named at the end, and the exit status is 1.
#
# `--only build` needs no GPU (ARCHITECTURE says for which: default 90a). What it built runs on other machines too, in
# the same place of another copy of these files, so that a machine that is lent by the minute runs only the rest.
#
# Needs nvcc, a C++ compiler, cmake, python3 and doctest (CMAKE_PREFIX_PATH where it is not installed) to build, then
# python3; compute-sanitizer comes with CUDA. Environment: DUPQ_TEST_BUILD (where to build; default build/gpu),
# DUPQ_TEST_QUICK (not empty: compile without optimization, to see that all of it compiles).
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${DUPQ_TEST_BUILD:-$root/build/gpu}
labelled=$root/examples/questions.csv
parts=build,golden,real,eval,speed,peers,sanitizer
only=$parts
models=()
usage() { echo "usage: tests/gpu.sh [--labelled FILE] [--only PART[,PART...]] [MODEL...] (parts: $parts)" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --labelled) [ $# -gt 1 ] || usage; labelled=$2; shift ;;
    --only) [ $# -gt 1 ] || usage; only=$2; shift ;;
    -*) usage ;;
    *) models+=("$1") ;;
  esac
  shift
done
for name in ${only//,/ }; do case ,$parts, in *,"$name",*) ;; *) usage ;; esac; done
wanted() { case ,$only, in *,"$1",*) ;; *) return 1 ;; esac; }
stop() { echo "gpu.sh: $1" >&2; exit 1; }
for file in "$labelled" ${models[@]+"${models[@]}"}; do [ -e "$file" ] || stop "$file: not found"; done
PATH=$PATH:/usr/local/cuda/bin:/usr/local/cuda/compute-sanitizer

capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -1)
if [ -n "$capability" ]; then
  architecture=${capability/./}
elif [ "$only" = build ]; then
  architecture=${ARCHITECTURE:-90}
else
  stop "no GPU here: nvidia-smi finds none (--only build needs none)"
fi
[ "$architecture" = 90 ] && architecture=90a # Hopper's own instructions
echo "== $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -1 || true) sm_$architecture"

failed=()
# part NAME SECONDS COMMAND...: runs it for so many seconds at most, and remembers whether it failed.
part() {
  local name=$1 limit=$2 begin=$SECONDS status
  shift 2
  echo "== $name"
  timeout -k 10 "$limit" "$@" </dev/null
  status=$?
  [ $status = 0 ] && { echo "== $name: good, $((SECONDS - begin)) s"; return; }
  echo "== $name: $([ $status = 124 ] && echo "NOT DONE" || echo FAILED), $((SECONDS - begin)) s"
  failed+=("$name")
}

build() {
  local options=()
  [ -n "${DUPQ_TEST_QUICK:-}" ] && options=(-DCMAKE_CXX_FLAGS_RELEASE=-O0 "-DCMAKE_CUDA_FLAGS_RELEASE=-O0 -Xptxas -O0")
  cmake -S "$root" -B "$build" -DDUPQ_CUDA=ON -DDUPQ_BUILD_BENCH=ON -DDUPQ_BUILD_EXAMPLES=OFF -DDUPQ_TEST_MODELS= \
    "-DCMAKE_CUDA_ARCHITECTURES=$architecture" ${options[@]+"${options[@]}"} >"$build.log" 2>&1 &&
    cmake --build "$build" -j "$(nproc)" --target dupq_tool dupq_chip bench_encode_gpu >>"$build.log" 2>&1 && return
  tail -40 "$build.log"
  return 1
}
if wanted build; then
  command -v nvcc >/dev/null || stop "no nvcc here"
  mkdir -p "$(dirname "$build")"
  echo "== build"
  build || stop "failed: build"
  echo "== build: good, $SECONDS s"
fi
if [ "$only" = build ]; then exit 0; fi
dupq=$build/dupq
chip=$build/tests/dupq_chip
for file in "$dupq" "$chip"; do [ -x "$file" ] || stop "$file: not found (part build makes it)"; done

if [ ${#models[@]} = 0 ]; then
  for name in all-MiniLM-L6-v2 all-mpnet-base-v2; do
    python3 "$root/tools/fetch_model.py" "$name" -o "$build/models/$name" >/dev/null || stop "$name: cannot be fetched"
    models+=("$build/models/$name")
  done
fi
mkdir -p "$build/models"
files=() for_bench=()
for model in "${models[@]}"; do
  file=$model
  if [ -d "$model" ]; then
    file=$build/models/$(basename "$model").gguf
    "$dupq" convert "$model" -o "$file" || stop "$model: cannot be converted"
    for_bench+=(--model "$model" "$file")
  fi
  files+=("$file")
done
# The questions of the labelled file, a line each, again and again where they are few; and pairs of neighbours.
python3 - "$labelled" >"$build/texts.txt" <<'PYTHON' || stop "$labelled: cannot be read"
import csv, itertools, sys
with open(sys.argv[1], encoding="utf-8", newline="") as file:
    lines = [" ".join(row["question1"].split()) for row in itertools.islice(csv.DictReader(file), 20000)]
lines = [line for line in lines if line]
print("\n".join(itertools.islice(itertools.cycle(lines), max(8192, len(lines)))))
PYTHON
paste "$build/texts.txt" <(tail -n +2 "$build/texts.txt") | sed '$d' >"$build/pairs.txt"

# Tests of the chip: one whose filter chooses none has failed. They read their data in the repository's folder.
cat >"$build/chip.sh" <<'SH'
cd "$1" && "${@:2}" >"$DUPQ_CHIP_LOG" 2>&1
status=$?
if [ $status = 0 ] && ! grep -q "test cases: *0 " "$DUPQ_CHIP_LOG"; then exec grep -E "MESSAGE|test cases" "$DUPQ_CHIP_LOG"; fi
head -60 "$DUPQ_CHIP_LOG"
exit 1
SH
export DUPQ_CHIP_LOG=$build/chip.log
on_chip() { part "$1" "$2" bash "$build/chip.sh" "$root" "${@:3}"; }

if wanted golden; then
  # Each test case by itself. Filters have commas between them: those in a name become a wildcard.
  while read -r name; do on_chip "golden: $name" 90 "$chip" "--test-case=${name//,/?}"; done < <(
    cd "$root" && "$chip" --list-test-cases --no-version --source-file="*model_tests.hpp" | grep -Ev '^(\[doctest|===)')
fi

absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }
DUPQ_GPU_TEXTS=$(absolute "$build/texts.txt")
export DUPQ_GPU_TEXTS DUPQ_GPU_MODEL
for file in "${files[@]}"; do
  DUPQ_GPU_MODEL=$(absolute "$file")
  if wanted real; then on_chip "real $(basename "$file" .gguf)" 150 "$chip" --source-file="*real.cu"; fi
done

# Evaluates a model on both devices; their F1 on the test pairs may differ by 0.001.
cat >"$build/evaluate.sh" <<'SH'
dupq=$1 model=$2 labelled=$3 to=$4
for device in cpu cuda; do
  "$dupq" eval "$model" "$labelled" --split notebook --json --device $device >"$to/eval-$device.json" || exit 1
done
python3 - "$to" <<'PYTHON'
import json, sys
cpu, gpu = (json.load(open(f"{sys.argv[1]}/eval-{d}.json")) for d in ("cpu", "cuda"))
for name, one in (("CPU", cpu), ("GPU", gpu)):
    print(f"{name}: F1 {one['test']['f1']:.4f}, average precision {one['test']['average_precision']:.4f}, threshold "
          f"{one['threshold']:.4f}, {one['questions_per_second']:.0f} questions/s")
change = gpu["test"]["f1"] - cpu["test"]["f1"]
print(f"F1 changes by {change:+.4f}")
sys.exit(abs(change) > 0.001)
PYTHON
SH
for file in "${files[@]}"; do
  if wanted eval; then
    part "eval $(basename "$file" .gguf)" 120 bash "$build/evaluate.sh" "$dupq" "$file" "$labelled" "$build"
  fi
done

bench=$build/bench/bench_encode_gpu
for file in "${files[@]}"; do
  texts=$build/texts.txt name=$(basename "$file" .gguf)
  "$dupq" info "$file" | grep -q cross && texts=$build/pairs.txt
  wanted speed || continue
  part "speed of $name, many" 60 "$bench" "$file" "$texts" --count 8192 --runs 5
  part "speed of $name, one at a time" 60 "$bench" "$file" "$texts" --count 200 --runs 5 --latency
done

if wanted peers && [ ${#for_bench[@]} != 0 ]; then
  if python3 -c "import numpy, torch, transformers" 2>/dev/null; then
    part peers 240 python3 "$root/bench/peers_gpu.py" "${for_bench[@]}" --texts "$build/texts.txt" --rounds 3 --bench "$bench"
  else
    echo "== peers: left out, since numpy, torch or transformers is missing"
  fi
fi

for tool in memcheck racecheck synccheck initcheck; do
  wanted sanitizer || break
  on_chip "$tool" 200 compute-sanitizer --tool $tool --error-exitcode 9 "$chip" --test-case="*compute-sanitizer*"
done

[ ${#failed[@]} = 0 ] || stop "failed: $(IFS=,; echo "${failed[*]}")"
echo "gpu.sh: all good"
