// The lanes of every instruction set that this kind of CPU may have, and the kernels over them.
#pragma once

// GCC 12 warns of its own headers: of AVX-512's, which leave registers undefined, and of NEON's, since it does not know
// that no sum has 0 terms. It looks at who calls them, so this works whoever has included them before.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include "lanes_amx.hpp"
#include "lanes_neon.hpp"
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
