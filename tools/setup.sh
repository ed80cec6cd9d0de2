# What demo.sh and notebook.sh begin with, to be sourced: from a checkout to a built tool and a model's folder. All of
# it is made in build/, or in the folder that DUPQ_DEMO_BUILD names.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${DUPQ_DEMO_BUILD:-$root/build}
name=all-MiniLM-L6-v2
folder=$build/models/$name # where the model's files are put
step() { printf '== %s\n' "$1"; }

# build_tool [PACKAGE=CHECK...]: installs what building needs, and these packages, where it is missing; builds the tool.
build_tool() {
  local compiler=g++ maker=make generator=()
  command -v g++ >/dev/null || ! command -v clang++ >/dev/null || compiler=clang++
  command -v make >/dev/null || ! command -v ninja >/dev/null || maker=ninja
  "$root/tools/install_packages.sh" "g++=$compiler" cmake=cmake "make=$maker" python3=python3 "$@"
  if [ ! -e "$build/CMakeCache.txt" ]; then
    step "Setting up $build"
    [ "$maker" = make ] || generator=(-G Ninja)
    mkdir -p "$build"
    cmake -S "$root" -B "$build" ${generator[@]+"${generator[@]}"} -DCMAKE_CXX_COMPILER="$compiler" \
      -DDUPQ_BUILD_TESTS=OFF >"$build/configure.log" 2>&1 ||
      { cat "$build/configure.log" >&2; rm -f "$build/CMakeCache.txt"; exit 1; }
  fi
  step "Building the tool (some two minutes the first time)"
  cmake --build "$build" --target dupq_tool -j "$(nproc)" >"$build/build.log" 2>&1 ||
    { cat "$build/build.log" >&2; exit 1; }
}

# fetch_model: fills the model's folder.
fetch_model() {
  step "Fetching the model $name (80 MB)"
  python3 "$root/tools/fetch_model.py" "$name" -o "$folder" >/dev/null && return
  cat >&2 <<TEXT

The model $name could not be fetched. With a copy of its Hugging Face folder from elsewhere
(config.json, modules.json, sentence_bert_config.json, 1_Pooling/, tokenizer.json, model.safetensors),
put the folder here and run this again:
  $folder
TEXT
  exit 1
}
