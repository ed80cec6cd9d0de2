// Runs GPU kernels on the host, from the very source that nvcc compiles: include it before the kernels.
//
// emulator::launch(shape, [&] { kernel(arguments); }) runs every thread as a fiber in an order that the seed decides,
// with shared memory that begins as NaN, copies that land late and products that are done when they are waited for. It
// returns what is wrong with the kernel: accesses to shared memory without an order between them, whichever order this
// run had; reads of what nothing wrote; accesses outside arrays; deadlocks; warps whose lanes part; blocks that meet in
// global memory. Arrays that kernels touch are emulator::buffer.
#pragma once

#include "emulator/hopper.hpp"
#include "emulator/machine.hpp"
#include "emulator/primitives.hpp"
