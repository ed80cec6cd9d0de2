// gpu::machine in the emulator. Tests derive from it to plant bugs: a machine that skips a barrier is a kernel without
// it.
#pragma once

#include <type_traits>

#include "emulator.hpp"

namespace emulator {

/// The values of all halves, and back: nearest even.
inline float widen(std::uint32_t half) {
  static const std::vector<float> all = [] {
    std::vector<float> values(65536);
    for (std::uint32_t h = 0; h < values.size(); ++h) values[h] = dupq::widen_f16(static_cast<std::uint16_t>(h));
    return values;
  }();
  return all[half & 0xFFFFu];
}

template <bool Asynchronous>
struct machine {
  static constexpr bool asynchronous = Asynchronous;

  static unsigned thread() { return gpu.thread(); }
  static unsigned block() { return gpu.index(); }
  static void sync() { gpu.sync(); }
  static void sync_warp() { gpu.sync_warp(); }

  template <class T>
  static T exchange(T value, unsigned lanes) {
    struct {
      T value, received;
      unsigned lanes;
    } mine{value, {}, lanes};
    gpu.meet_warp("exchange", &mine, [](const auto& of) {
      const auto at = [&](unsigned lane) { return static_cast<decltype(&mine)>(of[lane]); };
      for (unsigned lane = 0; lane < 32; ++lane) at(lane)->received = at((lane ^ at(lane)->lanes) % 32)->value;
    });
    return mine.received;
  }

  static std::uint32_t shared() { return 0; }
  static float load_shared(std::uint32_t address) {
    float v;
    gpu.read_shared(address, sizeof v, &v);
    return v;
  }
  static void store_shared(std::uint32_t address, float v) { gpu.write_shared(address, sizeof v, &v); }

  static void copy_16(std::uint32_t to, const void* from, bool wanted) { gpu.copy(to, from, wanted, Asynchronous); }
  static void copy_commit() { gpu.commit(); }
  template <int Left>
  static void copy_wait() {
    gpu.wait(Left);
  }

  static void load_matrices(std::uint32_t (&r)[4], std::uint32_t address) { matrices<false>(r, address); }
  static void load_matrices_transposed(std::uint32_t (&r)[4], std::uint32_t address) { matrices<true>(r, address); }

  static void multiply_add(float (&sums)[4], const std::uint32_t (&a)[4], dupq::gpu::half2 b0, dupq::gpu::half2 b1) {
    using dupq::gpu::fragment;
    struct lane_of {
      float* sums;
      const std::uint32_t* a;
      std::uint32_t b[2];
    } mine{sums, a, {b0, b1}};
    gpu.meet_warp("multiply_add", &mine, [](const auto& of) {
      float a_of[16][16], b_of[16][8], sums_of[16][8] = {};
      for (unsigned lane = 0; lane < 32; ++lane) {
        const lane_of& l = *static_cast<lane_of*>(of[lane]);
        for (unsigned r = 0; r < 4; ++r)
          for (unsigned half = 0; half < 2; ++half)
            a_of[fragment::a(lane, r).row][fragment::a(lane, r).column + half] = widen(l.a[r] >> 16 * half);
        for (unsigned r = 0; r < 2; ++r)
          for (unsigned half = 0; half < 2; ++half)
            b_of[fragment::b(lane, r).row + half][fragment::b(lane, r).column] = widen(l.b[r] >> 16 * half);
      }
      for (unsigned i = 0; i < 16; ++i)
        for (unsigned k = 0; k < 16; ++k)
          for (unsigned j = 0; j < 8; ++j) sums_of[i][j] += a_of[i][k] * b_of[k][j];
      for (unsigned lane = 0; lane < 32; ++lane)
        for (unsigned i = 0; i < 4; ++i)
          static_cast<lane_of*>(of[lane])->sums[i] +=
              sums_of[fragment::sums(lane, i).row][fragment::sums(lane, i).column];
    });
  }

  template <class T>
  static T load(const T* from) {
    gpu.check_global(from, sizeof *from, alignof(T), false);
    return *from;
  }
  template <class T>
  static void store(T* to, std::type_identity_t<T> value) {
    gpu.check_global(to, sizeof *to, alignof(T), true);
    *to = value;
  }

  static dupq::gpu::half2 pack(float low, float high) {
    return dupq_tool::to_half(low) | std::uint32_t{dupq_tool::to_half(high)} << 16;
  }
  static dupq::gpu::float_pair unpack(dupq::gpu::half2 v) { return {widen(v), widen(v >> 16)}; }
  static float exp2(float x) { return std::exp2(x); }
  static float tanh(float x) { return std::tanh(x); }
  static float inverse_sqrt(float x) { return 1 / std::sqrt(x); }

 private:
  template <bool Transposed>
  static void matrices(std::uint32_t (&r)[4], std::uint32_t address) {
    struct lane_of {
      std::uint32_t* registers;
      std::uint32_t address;
      std::uint16_t row[8];
    } mine{r, address, {}};
    gpu.read_shared(address, 16, mine.row);
    gpu.meet_warp(Transposed ? "load_matrices_transposed" : "load_matrices", &mine, [](const auto& of) {
      const auto at = [&](unsigned lane) { return static_cast<lane_of*>(of[lane]); };
      for (unsigned m = 0; m < 4; ++m) {
        unsigned banks = 0;
        for (unsigned row = 0; row < 8; ++row) banks |= 1u << at(8 * m + row)->address / 16 % 8;
        if (banks != 0xFF) ++gpu.bank_conflicts;
        for (unsigned lane = 0; lane < 32; ++lane) {
          std::uint32_t both = 0;
          for (unsigned half = 0; half < 2; ++half) {
            const unsigned i = lane / 4, j = lane % 4 * 2 + half;
            const std::uint16_t element = Transposed ? at(8 * m + j)->row[i] : at(8 * m + i)->row[j];
            both |= std::uint32_t{element} << 16 * half;
          }
          at(lane)->registers[m] = both;
        }
      }
    });
  }
};

static_assert(dupq::gpu::machine<machine<true>> && dupq::gpu::machine<machine<false>>);

}  // namespace emulator
