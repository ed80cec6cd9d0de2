// Compiles the AVX-512 kernels through SIMDe, which emulates their instructions by AVX2's: a CPU without AVX-512 runs
// them too. Included before everything else (-include); the program is compiled with -mavx2 -mfma.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>

#include <dupq/core/platform.hpp>

// A function that carries AVX-512 would be compiled to it.
#undef DUPQ_TARGET
#define DUPQ_TARGET(isa)
#define __builtin_cpu_supports(feature) 1
