// Fragments and tiles at compile time: every element has one place, and no access meets another in a bank.
#include <dupq/device/cuda/fragment.hpp>

#include <doctest/doctest.h>

namespace {

using dupq::gpu::fragment;
using dupq::gpu::tile;

/// Every element of rows x columns is held once by the 32 lanes.
template <unsigned Rows, unsigned Columns>
constexpr bool covers(fragment (*at)(unsigned, unsigned), unsigned registers, unsigned down, unsigned right) {
  int held[Rows][Columns] = {};
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned r = 0; r < registers; ++r) {
      const fragment f = at(lane, r);
      if (f.row + down >= Rows || f.column + right >= Columns) return false;
      ++held[f.row][f.column];
      if (down + right != 0) ++held[f.row + down][f.column + right];
    }
  for (const auto& row : held)
    for (const int n : row)
      if (n != 1) return false;
  return true;
}
static_assert(covers<16, 16>(fragment::a, 4, 0, 1));
static_assert(covers<16, 8>(fragment::b, 2, 1, 0));
static_assert(covers<16, 8>(fragment::sums, 4, 0, 0));

// PTX, "Matrix Fragments for mma.m16n8k16 with floating point type": group = lane / 4, in it = lane % 4.
constexpr bool as_ptx_says() {
  for (unsigned lane = 0; lane < 32; ++lane) {
    const unsigned group = lane >> 2, inside = lane % 4;
    for (unsigned i = 0; i < 8; i += 2) {  // a_i and a_i+1 share register i / 2
      const unsigned row = (i < 2 || (4 <= i && i < 6)) ? group : group + 8;
      const unsigned column = inside * 2 + (i & 1) + (i >= 4 ? 8 : 0);
      if (fragment::a(lane, i / 2).row != row || fragment::a(lane, i / 2).column != column) return false;
    }
    for (unsigned i = 0; i < 4; i += 2) {
      const unsigned row = inside * 2 + (i & 1) + (i >= 2 ? 8 : 0);
      if (fragment::b(lane, i / 2).row != row || fragment::b(lane, i / 2).column != group) return false;
    }
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned row = i < 2 ? group : group + 8, column = inside * 2 + (i & 1);
      if (fragment::sums(lane, i).row != row || fragment::sums(lane, i).column != column) return false;
    }
  }
  return true;
}
static_assert(as_ptx_says());

template <unsigned RowBytes>
constexpr bool bijective() {
  bool taken[64 * tile<RowBytes>::chunks] = {};
  for (unsigned row = 0; row < 64; ++row)
    for (unsigned chunk = 0; chunk < tile<RowBytes>::chunks; ++chunk) {
      const unsigned at = tile<RowBytes>::at(row, chunk);
      if (at % 16 != 0 || at >= 64 * RowBytes || taken[at / 16]) return false;
      taken[at / 16] = true;
    }
  return true;
}
static_assert(bijective<32>() && bijective<64>() && bijective<128>());

/// Eight rows of a chunk, as a matrix is loaded, and eight chunks that follow each other, as they are copied.
template <unsigned RowBytes>
constexpr bool without_conflicts() {
  for (unsigned first = 0; first < 64; first += 8)
    for (unsigned chunk = 0; chunk < tile<RowBytes>::chunks; ++chunk) {
      unsigned banks = 0;
      for (unsigned row = first; row < first + 8; ++row) banks |= 1u << tile<RowBytes>::at(row, chunk) / 16 % 8;
      if (banks != 0xFF) return false;
    }
  for (unsigned first = 0; first < 64 * tile<RowBytes>::chunks; first += 8) {
    unsigned banks = 0;
    for (unsigned i = first; i < first + 8; ++i)
      banks |= 1u << tile<RowBytes>::at(i / tile<RowBytes>::chunks, i % tile<RowBytes>::chunks) / 16 % 8;
    if (banks != 0xFF) return false;
  }
  return true;
}
static_assert(without_conflicts<32>() && without_conflicts<64>() && without_conflicts<128>());

TEST_CASE("fragments and tiles are checked at compile time") { CHECK(as_ptx_says()); }

}  // namespace
