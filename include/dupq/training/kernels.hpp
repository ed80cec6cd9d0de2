// The kernels of training compiled once for a program of many files, beside those of <dupq/kernels.hpp>, which says
// how.
#pragma once

#if !defined(DUPQ_SEPARATE_COMPILATION)
#error "dupq: training/kernels.hpp is for programs that define DUPQ_SEPARATE_COMPILATION, for all of their files"
#elif defined(DUPQ_TABLES)
#error "dupq: training/kernels.hpp stands alone in a file, without any other header of dupq before it"
#endif

#define DUPQ_COMPILE_TRAINING_KERNELS
#include "cpu/tables.hpp"
#undef DUPQ_COMPILE_TRAINING_KERNELS
