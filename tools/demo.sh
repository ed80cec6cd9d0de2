#!/usr/bin/env bash
# From a fresh checkout to duplicates found by a real model: installs what is missing, builds, fetches all-MiniLM-L6-v2,
# converts it, judges it on examples/questions.csv and shows what to try next. Needs a network once; a second run is
# instant. Everything it makes is in build/, or in the folder that DUPQ_DEMO_BUILD names.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${DUPQ_DEMO_BUILD:-$root/build}
name=all-MiniLM-L6-v2
folder=$build/models/$name
model=$build/models/$name.gguf
dupq=$build/dupq
step() { printf '== %s\n' "$1"; }

compiler=g++
command -v g++ >/dev/null || ! command -v clang++ >/dev/null || compiler=clang++
maker="make"
command -v make >/dev/null || ! command -v ninja >/dev/null || maker=ninja
need=("g++=$compiler" cmake=cmake "make=$maker" python3=python3)
[ -e "$model" ] || [ -e "$folder" ] || need+=(python3-pip=pip3)
"$root/tools/install_packages.sh" "${need[@]}"

if [ ! -e "$build/CMakeCache.txt" ]; then
  step "Setting up $build"
  generator=()
  [ "$maker" = make ] || generator=(-G Ninja)
  mkdir -p "$build"
  cmake -S "$root" -B "$build" "${generator[@]}" -DCMAKE_CXX_COMPILER="$compiler" -DDUPQ_BUILD_TESTS=OFF \
    >"$build/configure.log" 2>&1 || { cat "$build/configure.log" >&2; rm -f "$build/CMakeCache.txt"; exit 1; }
fi
step "Building the tool (some two minutes the first time)"
cmake --build "$build" --target dupq_tool -j "$(nproc)" >"$build/build.log" 2>&1 || { cat "$build/build.log" >&2; exit 1; }

if [ ! -e "$model" ]; then
  step "Fetching the model $name (80 MB)"
  if ! python3 "$root/tools/fetch_model.py" "$name" -o "$folder" >/dev/null; then
    cat >&2 <<TEXT

The model $name could not be fetched. With a copy of its Hugging Face folder from elsewhere
(config.json, modules.json, sentence_bert_config.json, 1_Pooling/, tokenizer.json, model.safetensors),
put the folder here and run this again:
  $folder
TEXT
    exit 1
  fi
  step "Converting it"
  "$dupq" convert "$folder" -o "$model"
fi

step "How well it tells duplicates apart: 100 labelled pairs, many of them hard (examples/questions.csv)"
table=$("$dupq" eval "$model" "$root/examples/questions.csv")
printf '%s\n' "$table"
threshold=$(awk '$1 == "best" {print $3}' <<<"$table")

step "Five pairs, scored (duplicate from $threshold on)"
while IFS='|' read -r first second; do
  result=$("$dupq" score "$model" "$first" "$second" --threshold "$threshold")
  printf '%-10.6s%-12s%s / %s\n' "${result%%$'\t'*}" "${result##*$'\t'}" "$first" "$second"
done <<'TEXT'
How do I learn C++?|What is the best way to learn C++?
How do I stop hiccups?|What gets rid of the hiccups?
How do I learn C++?|How do I learn to cook?
How far is the Moon from the Earth?|What is the distance between our planet and its moon?
Can a bank sue its customer?|Can a customer sue his bank?
TEXT

tool=${dupq#"$root"/}
models=${folder%/*}
models=${models#"$root"/}
cat <<TEXT
== The last pair is wrong: names and roles swapped are hard for a bi-encoder. What to try next, from $root:
  $tool score $models/$name.gguf "one question" "another question"
  $tool dedup $models/$name.gguf examples/questions.txt --threshold 0.7
  $tool encode $models/$name.gguf examples/questions.txt -o vectors.npy
  $tool --help
On real data: Kaggle's Quora Question Pairs (kaggle.com/c/quora-question-pairs, train.csv), split as the notebook does:
  $tool eval $models/$name.gguf train.csv --split notebook
A larger model (400 MB):
  python3 tools/fetch_model.py all-mpnet-base-v2 -o $models/all-mpnet-base-v2
  $tool convert $models/all-mpnet-base-v2 -o $models/all-mpnet-base-v2.gguf
In your own C++: the programs in examples/
TEXT
