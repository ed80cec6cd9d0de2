// Kernels compiled once for a program of many files. Each file that runs an encoder compiles the kernels of every
// instruction set, which takes most of its time. To avoid that, define DUPQ_SEPARATE_COMPILATION for all files of the
// program, and add one file to it that has nothing but this line:
//
//   #include <dupq/kernels.hpp>
//
// A program that trains has one more, with <dupq/training/kernels.hpp>. With CMake and dupq as a
// subdirectory, linking dupq::compiled in place of dupq::dupq does all of it. The numbers are the same.
#pragma once

#if !defined(DUPQ_SEPARATE_COMPILATION)
#error "dupq: kernels.hpp is for programs that define DUPQ_SEPARATE_COMPILATION, for all of their files"
#elif defined(DUPQ_TABLES)
#error "dupq: kernels.hpp stands alone in a file, without any other header of dupq before it"
#endif

#define DUPQ_COMPILE_KERNELS
#include "device/cpu/activations.hpp"
#include "device/cpu/cpu.hpp"
#include "device/cpu/filter.hpp"
#include "device/cpu/sum_rows.hpp"
#undef DUPQ_COMPILE_KERNELS
