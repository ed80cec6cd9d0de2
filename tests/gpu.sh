#!/usr/bin/env bash
# Checks dupq on an NVIDIA GPU, and measures it. One command, about eight minutes on 16 cores:
#   build      the tool, the tests of a chip and the benchmark, for this GPU alone
#   golden     the emulator's tests of whole models, on the chip
#   sanitizer  memcheck, racecheck, synccheck and initcheck of every kernel on a small case
#   real       real models against the CPU: components, cosines, any batch, order and repeat the same bits
#   eval       dupq eval on a labelled file by CPU and by GPU: F1 changes by 0.001 at most
#   bench      bench/peers_gpu.py
#
# tests/gpu.sh [--labelled FILE.csv] [--no-sanitizer] [--no-bench] [--build-only] [MODEL...]
#
# MODEL is a Hugging Face folder, or a model file of floats, which the bench leaves out; without one, all-MiniLM-L6-v2
# and all-mpnet-base-v2 are fetched. The labelled file has the columns question1, question2 and is_duplicate (default:
# examples/questions.csv, which is small). What fails is named at the end, and the exit status is 1. Needs nvcc, a C++
# compiler, cmake, python3 and doctest (CMAKE_PREFIX_PATH where it is not installed); compute-sanitizer comes with CUDA;
# the bench needs torch and transformers, and says so.
# Environment: DUPQ_TEST_BUILD (where to build; default build/gpu), ARCHITECTURE (for --build-only without a GPU).
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${DUPQ_TEST_BUILD:-$root/build/gpu}
labelled=$root/examples/questions.csv
sanitizer=yes bench=yes build_only=no
models=()
usage() { echo "usage: tests/gpu.sh [--labelled FILE] [--no-sanitizer] [--no-bench] [--build-only] [MODEL...]" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --labelled) [ $# -gt 1 ] || usage; labelled=$2; shift ;;
    --no-sanitizer) sanitizer=no ;;
    --no-bench) bench=no ;;
    --build-only) build_only=yes ;;
    -*) usage ;;
    *) models+=("$1") ;;
  esac
  shift
done
stop() { echo "gpu.sh: $1" >&2; exit 1; }
for file in "$labelled" ${models[@]+"${models[@]}"}; do [ -e "$file" ] || stop "$file: not found"; done
PATH=$PATH:/usr/local/cuda/bin
command -v nvcc >/dev/null || stop "no nvcc here"

capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -1)
if [ -n "$capability" ]; then
  architecture=${capability/./}
elif [ $build_only = yes ]; then
  architecture=${ARCHITECTURE:-90}
else
  stop "no GPU here: nvidia-smi finds none (--build-only builds without one)"
fi
[ "$architecture" = 90 ] && architecture=90a # Hopper's own instructions
echo "== $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -1 || true) sm_$architecture"

failed=()
# part NAME COMMAND...: runs it and remembers whether it failed.
part() {
  local name=$1 begin=$SECONDS
  shift
  echo "== $name"
  if "$@"; then
    echo "== $name: good, $((SECONDS - begin)) s"
  else
    echo "== $name: FAILED, $((SECONDS - begin)) s"
    failed+=("$name")
  fi
}

build() {
  cmake -S "$root" -B "$build" -DDUPQ_CUDA=ON -DDUPQ_BUILD_BENCH=ON -DDUPQ_BUILD_EXAMPLES=OFF -DDUPQ_TEST_MODELS= \
    "-DCMAKE_CUDA_ARCHITECTURES=$architecture" >"$build.log" 2>&1 &&
    cmake --build "$build" -j "$(nproc)" --target dupq_tool dupq_chip bench_encode_gpu >>"$build.log" 2>&1 && return
  tail -40 "$build.log"
  return 1
}
mkdir -p "$(dirname "$build")"
part build build
[ ${#failed[@]} = 0 ] || stop "failed: build"
if [ $build_only = yes ]; then exit 0; fi
dupq=$build/dupq
chip=$build/tests/dupq_chip

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
# The questions of the labelled file, a line each.
python3 - "$labelled" >"$build/texts.txt" <<'PYTHON' || stop "$labelled: cannot be read"
import csv, itertools, sys
with open(sys.argv[1], encoding="utf-8", newline="") as file:
    for row in itertools.islice(csv.DictReader(file), 20000):
        if line := " ".join(row["question1"].split()):
            print(line)
PYTHON

# The tests that a filter chooses, which must be some.
tests() { "$@" | tee "$build/tests.log" && ! grep -q "test cases: *0 " "$build/tests.log"; }
part golden tests "$chip" --source-file="*model_tests.hpp"

sanitize() { tests compute-sanitizer --tool "$1" --error-exitcode 9 "$chip" --test-case="*compute-sanitizer*"; }
if [ $sanitizer = yes ]; then
  for tool in memcheck racecheck synccheck initcheck; do part "$tool" sanitize $tool; done
fi

DUPQ_GPU_MODELS=$(IFS=:; echo "${files[*]}") DUPQ_GPU_TEXTS=$build/texts.txt
export DUPQ_GPU_MODELS DUPQ_GPU_TEXTS
part real tests "$chip" --source-file="*real.cu"

# Evaluates a model on both devices; their F1 on the test pairs may differ by 0.001.
evaluate() {
  local device
  for device in cpu cuda; do
    "$dupq" eval "$1" "$labelled" --split notebook --json --device $device >"$build/eval-$device.json" || return 1
  done
  python3 - "$build" <<'PYTHON'
import json, sys
cpu, gpu = (json.load(open(f"{sys.argv[1]}/eval-{d}.json")) for d in ("cpu", "cuda"))
for name, one in (("CPU", cpu), ("GPU", gpu)):
    print(f"{name}: F1 {one['test']['f1']:.4f}, average precision {one['test']['average_precision']:.4f}, threshold "
          f"{one['threshold']:.4f}, {one['questions_per_second']:.0f} questions/s")
change = gpu["test"]["f1"] - cpu["test"]["f1"]
print(f"F1 changes by {change:+.4f}")
sys.exit(abs(change) > 0.001)
PYTHON
}
for file in "${files[@]}"; do part "eval $(basename "$file" .gguf)" evaluate "$file"; done

peers() {
  python3 "$root/bench/peers_gpu.py" "${for_bench[@]}" --texts "$build/texts.txt" --rounds 3 \
    --bench "$build/bench/bench_encode_gpu"
}
if [ $bench = yes ] && [ ${#for_bench[@]} != 0 ]; then part bench peers; fi

[ ${#failed[@]} = 0 ] || stop "failed: $(IFS=,; echo "${failed[*]}")"
echo "gpu.sh: all good"
