#!/usr/bin/env bash
# From a fresh checkout to duplicates found by a real model: installs what is missing, builds, fetches all-MiniLM-L6-v2,
# converts it, judges it on examples/questions.csv and shows what to try next. Needs a network once; a second run is
# instant. Everything it makes is in build/, or in the folder that DUPQ_DEMO_BUILD names.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
model=$build/models/$name.gguf
dupq=$build/dupq

need=()
[ -e "$model" ] || [ -e "$folder" ] || need+=(python3-pip=pip3)
build_tool ${need[@]+"${need[@]}"}
if [ ! -e "$model" ]; then
  fetch_model
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
