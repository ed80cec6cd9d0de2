// The compiler's vector intrinsics; the one place that includes them.
#pragma once

#include "../../core/platform.hpp"

#if defined(DUPQ_X86)
#include <immintrin.h>
#elif defined(DUPQ_ARM64)
#include <arm_neon.h>
#endif
