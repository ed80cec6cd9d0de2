#!/usr/bin/env bash
# Tests everything: installs what the tests need, builds with warnings as errors and runs one ctest over three builds:
#   main       g++: all tests
#   sanitized  clang++ with AddressSanitizer and UndefinedBehaviorSanitizer: the C++ tests and the command line
#   fuzz       clang++: each libFuzzer target for FUZZ_SECONDS (5)
#
# tests/run.sh [--quick]     --quick leaves the larger real models (all-mpnet-base-v2, multilingual-e5-small) and Spark out,
#                            downloads of 400, 120 and 400 MB
# Environment: FUZZ_SECONDS, DUPQ_TEST_BUILD (where to build; default build/tests)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${DUPQ_TEST_BUILD:-$root/build/tests}
models="all-MiniLM-L6-v2;all-mpnet-base-v2;multilingual-e5-small" spark=ON
for argument in "$@"; do
  case $argument in
    --quick) models="all-MiniLM-L6-v2" spark=OFF ;;
    *) echo "usage: tests/run.sh [--quick]" >&2; exit 2 ;;
  esac
done
seconds=${FUZZ_SECONDS:-5}

"$root/tools/install_packages.sh" g++=g++ clang=clang++ libclang-rt-dev="/usr/lib/llvm-*/lib/clang/*/lib/*/libclang_rt.fuzzer*" \
  clang-format=clang-format cmake=cmake ninja-build=ninja python3=python3 python3-pip=pip3 \
  doctest-dev="/usr/include/doctest/doctest.h" unicode-data="/usr/share/unicode/DerivedAge.txt" \
  g++-aarch64-linux-gnu=aarch64-linux-gnu-g++ qemu-user-static=qemu-aarch64-static libsimde-dev="/usr/include/simde/x86/avx512.h" \
  libhnswlib-dev="/usr/include/hnswlib/hnswlib.h" \
  gcc-arm-none-eabi=arm-none-eabi-g++ libnewlib-arm-none-eabi="/usr/lib/arm-none-eabi/newlib/libc.a" \
  libstdc++-arm-none-eabi-newlib="/usr/include/newlib/c++/*" qemu-system-arm=qemu-system-arm \
  g++-mingw-w64-x86-64-posix=x86_64-w64-mingw32-g++-posix wine64="/usr/lib/wine/wine64"
"$root/tools/install_packages.sh" "g++-$(g++ -dumpversion | cut -d. -f1)-multilib=/usr/lib/gcc/x86_64-linux-gnu/*/32/libstdc++.a"

if [ "$spark" = ON ]; then "$root/tools/install_packages.sh" default-jre-headless=java; fi

jobs=$(nproc)
step() { echo "== $1"; }
configure() { cmake -G Ninja -S "$root" -B "$build/$1" -DDUPQ_WERROR=ON -DDUPQ_BUILD_TESTS=ON -DDUPQ_TEST_JOIN=ON "${@:2}" >"$build/$1.log" 2>&1 ||
              { cat "$build/$1.log" >&2; return 1; }; }
mkdir -p "$build"

step "building with g++"
# (-O1 compiles in two thirds of the time; real.demo builds the tool as everyone does.)
configure main -DCMAKE_CXX_COMPILER=g++ "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG" "-DDUPQ_TEST_MODELS=$models" -DDUPQ_TEST_SPARK=$spark
cmake --build "$build/main" -j "$jobs"
step "building with clang++ and sanitizers"
configure sanitized -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_CXX_FLAGS_RELEASE="-O1 -g1" -DDUPQ_SANITIZE=address,undefined \
  -DDUPQ_TEST_PREFIX=sanitized. -DDUPQ_BUILD_EXAMPLES=OFF
cmake --build "$build/sanitized" -j "$jobs"
step "building the fuzz targets"
configure fuzz -DCMAKE_CXX_COMPILER=clang++ -DDUPQ_FUZZ=ON -DDUPQ_TEST_PREFIX=libfuzzer. "-DDUPQ_FUZZ_SECONDS=$seconds"
cmake --build "$build/fuzz" -j "$jobs"

step "testing"
echo 'subdirs(main sanitized fuzz)' >"$build/CTestTestfile.cmake"
ctest --test-dir "$build" -j "$jobs" --output-on-failure --no-tests=error
