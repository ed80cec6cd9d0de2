#!/usr/bin/env bash
# The seed notebook, whole, with the dupq tool alone: what all-MiniLM-L6-v2 is worth on labelled pairs as it is, after
# three ways to fine-tune it and as a cross-encoder, in one table and one report. `--help` says how. What is finished is
# kept, so that the same command goes on where it was stopped.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

say_usage() {
  cat <<TEXT
usage: tools/notebook.sh TRAIN.csv [-o FOLDER] [--base MODEL] [--epochs N] [--as-in-the-notebook] ...

TRAIN.csv has the columns question1, question2 and is_duplicate, as Kaggle's Quora Question Pairs have. Of 50,000 of its
pairs 40,000 are learnt from, 5,000 choose each model's threshold and 5,000 judge it. On two cores an epoch takes five
to ten minutes, and all of it about half an hour.
  -o FOLDER       where models, logs, table and report are put (default: $build/notebook)
  --base MODEL    a Hugging Face folder or a model file of floats (default: $name, which is fetched)
  --tool DUPQ     the tool (default: $build/dupq, which is built)
  --split S       as in \`dupq eval\` (default: notebook)
  --epochs N      of each training (default 1)
  --threads N     threads to use (default: all cores)
  --as-in-the-notebook  also train with the notebook's mistakes, for comparison, and show its test F1, whose threshold
                  the test pairs chose themselves
  --fresh         train again what is there already
  --quick         everything in seconds: a tiny model without knowledge, and examples/questions.csv if no TRAIN.csv is
                  given
TEXT
}
usage_error() {
  echo "notebook.sh: $1" >&2
  echo "Try tools/notebook.sh --help" >&2
  exit 2
}
fail() { echo "notebook.sh: $1" >&2; exit 1; }
absolute() { case $1 in /*) printf '%s\n' "$1" ;; *) printf '%s\n' "$PWD/$1" ;; esac; }

pairs='' out='' base='' tool='' split=notebook epochs=1 threads=() fresh='' quick='' mistakes=()
while [ $# -gt 0 ]; do
  case $1 in
    --help) say_usage; exit 0 ;;
    --fresh) fresh=1 ;;
    --quick) quick=1 ;;
    --as-in-the-notebook) mistakes=("$1") ;;
    -o | --base | --tool | --split | --epochs | --threads)
      [ $# -gt 1 ] && [ -n "$2" ] || usage_error "$1 needs a value"
      case $1 in
        --epochs | --threads) [[ $2 =~ ^[1-9][0-9]{0,4}$ ]] || usage_error "$1 cannot be '$2'" ;;
      esac
      case $1 in
        -o) out=$(absolute "$2") ;;
        --base) base=$(absolute "$2") ;;
        --tool) tool=$(absolute "$2") ;;
        --split) split=$2 ;;
        --epochs) epochs=$2 ;;
        --threads) threads=("$1" "$2") ;;
      esac
      shift
      ;;
    -*) usage_error "unknown option '$1'" ;;
    *) [ -z "$pairs" ] || usage_error "too many arguments: '$1'"; pairs=$(absolute "$1") ;;
  esac
  shift
done
if [ -n "$quick" ]; then
  : "${pairs:=$root/examples/questions.csv}" "${base:=$root/tests/golden/bert}" "${out:=$build/notebook-quick}"
fi
: "${out:=$build/notebook}"
[ -n "$pairs" ] || usage_error "TRAIN.csv is missing"
[ -f "$pairs" ] || fail "$pairs: no such file"
[ -z "$base" ] || [ -e "$base" ] || fail "$base: no such file or folder"
[ -z "$tool" ] || [ -x "$tool" ] || fail "$tool: no such program"

if [ -z "$tool" ]; then
  need=()
  [ -n "$base" ] || [ -e "$folder" ] || need+=(python3-pip=pip3)
  build_tool ${need[@]+"${need[@]}"}
  tool=$build/dupq
fi
if [ -z "$base" ]; then
  [ -e "$folder" ] || fetch_model
  base=$folder
fi

# What is to be made, and of what: files in the folder that come from anything else must not pass for these, and nothing
# is removed that this script did not make.
names=(untrained cosine online-contrastive mnr cross)
[ ${#mistakes[@]} -eq 0 ] || names=(untrained {cosine,online-contrastive,mnr}{,-as-in-the-notebook} cross)
digest() {
  if [ -f "$1" ]; then cksum <"$1"; else (cd "$1" && find -L . -type f -exec cksum {} + | LC_ALL=C sort | cksum); fi
}
made_of="pairs $(digest "$pairs"), split $split, base $(digest "$base"), epochs $epochs${quick:+, quick}"
for place in "$base" "$(dirname "$base")"; do
  [ ! "$place" -ef "$out" ] || fail "$base: the base cannot be in the folder that is filled"
done
mkdir -p "$out"
there=()
made=({untrained,{cosine,online-contrastive,mnr}{,-as-in-the-notebook},cross}{.gguf{,.checkpoint},-steps.csv})
for file in "${made[@]/#/$out/}"; do
  [ ! -e "$file" ] && [ ! -L "$file" ] || there+=("$file")
done
if [ ${#there[@]} -ne 0 ]; then
  [ -e "$out/made-of" ] || fail "${there[0]}: is there, and not made by this script (-o goes elsewhere)"
  if [ -n "$fresh" ]; then
    rm -f "${there[@]}"
  elif [ "$(cat "$out/made-of")" != "$made_of" ]; then
    fail "$out: its models are of other pairs, another base or other options (--fresh trains anew, -o goes elsewhere)"
  fi
fi
[ ${#there[@]} -ne 0 ] && [ -z "$fresh" ] || printf '%s\n' "$made_of" >"$out/made-of"

trap 'echo "notebook.sh: stopped; the same command goes on from here" >&2; trap - INT; kill -INT $$' INT
times=''
# timed TITLE COMMAND...: runs it, and remembers how long it took. What stands behind a | in TITLE is said only now.
timed() {
  local title=${1%%|*} begin=$SECONDS
  step "${1/|/}"
  "${@:2}"
  times+=$(printf '%6s s  %s' "$((SECONDS - begin))" "$title")$'\n'
}
# train NAME TITLE OPTIONS...: makes NAME.gguf, unless it is there; goes on where it was stopped.
train() {
  local title=$2 to=$out/$1.gguf more=("${@:3}")
  if [ -e "$to" ]; then
    step "$title: ${to##*/} is there"
    rm -f "$to.checkpoint"
    return
  fi
  [ ! -e "$to.checkpoint" ] || more+=(--resume)
  if [ -n "$quick" ]; then more+=(--batch 8 --warmup 4 --checkpoint-every 4); else more+=(--checkpoint-every 250); fi
  timed "$title| (${more[*]})" "$tool" train "$base" "$pairs" --split "$split" --epochs "$epochs" "${more[@]}" \
    ${threads[@]+"${threads[@]}"} --log "$out/$1-steps.csv" -o "$to"
}

untrained=$out/untrained.gguf
if [ -d "$base" ]; then
  [ -e "$untrained" ] || timed "The model as it is" "$tool" convert "$base" -o "$untrained"
else
  ln -sf "$base" "$untrained"
fi
timed "What it is worth, untrained" "$tool" eval "$untrained" "$pairs" --split "$split" ${threads[@]+"${threads[@]}"}
for loss in cosine online-contrastive mnr; do
  train $loss "Fine-tuning, $loss" --loss $loss
  [ ${#mistakes[@]} -eq 0 ] ||
    train $loss-as-in-the-notebook "Fine-tuning, $loss as in the notebook" --loss $loss "${mistakes[@]}"
done
train cross "Cross-encoder, of the same body" --loss cross --new-head

# Models are named as they are in their folder: short, and the same wherever it is.
table() {
  cd "$out"
  "$tool" eval "${names[@]/%/.gguf}" "$pairs" --split "$split" ${threads[@]+"${threads[@]}"} \
    ${mistakes[@]+"${mistakes[@]}"} --report report.html | tee table.txt
}
timed "All of them, on the same pairs" table
if [ ${#mistakes[@]} -ne 0 ]; then
  step "What the notebook does, and what dupq does instead"
  cat <<'TEXT' | tee -a "$out/table.txt"
cosine              different questions shall have cosine -1; dupq: 0, as texts have that have nothing in common
online-contrastive  labels of -1 hide all different questions from the loss; dupq: labels 0 and 1, so it sees them
mnr                 learns from all pairs, as if all were duplicates; dupq: from the duplicates alone
test F1             at the threshold that the test pairs choose; dupq: at that of the validation pairs
TEXT
fi
step "How long it took"
printf '%s' "$times"
step "What is in $out"
printf '%s\n' "${names[@]/%/.gguf}" table.txt report.html "*-steps.csv (learning rate, loss and gradient of each step)"
