// Attention within each text: a warp makes 16 queries of one head.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fragment.hpp"
#include "quad.hpp"
#include "row.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// Up to 16 queries of a text: tokens first .. first + 15 of begin .. end - 1.
struct attention_tile {
  static constexpr unsigned queries = 16;
  std::uint32_t begin, end, first;
};

/// Writes the tiles of all texts, at most tokens / 16 + texts, in order, and returns how many there are.
constexpr std::size_t attention_tiles(const std::uint32_t* offsets, std::size_t texts, attention_tile* tiles) noexcept {
  std::size_t n = 0;
  for (std::size_t t = 0; t < texts; ++t)
    for (std::uint32_t first = offsets[t]; first < offsets[t + 1]; first += attention_tile::queries)
      tiles[n++] = {offsets[t], offsets[t + 1], first};
  return n;
}

/// For each head: y = softmax(q k^T / sqrt(HeadDim) + relative) v. qkv is [tokens][3 * heads * HeadDim], y
/// [tokens][heads * HeadDim], both of half precision; `relative` and `span` as in attention_shape.
struct attention_task {
  const std::uint16_t* qkv;
  const attention_tile* tiles;
  const float* relative;  ///< only for kernels that are Relative
  std::uint16_t* y;
  unsigned count, heads, span;
};

/// Keys come in blocks of 16, each in its turn from the text's first: a query's bits depend on its text alone.
template <unsigned HeadDim, bool Relative>
struct attention {
  static_assert(HeadDim == 32 || HeadDim == 64);
  static constexpr unsigned warps = 4;
  static constexpr unsigned threads = warps * warp_size;
  static constexpr unsigned keys = 16;                              ///< of a block
  static constexpr unsigned tile_bytes = keys * HeadDim * 2;        ///< of keys, or of values
  static constexpr unsigned shared_bytes = warps * 4 * tile_bytes;  ///< two stages of keys and values a warp
  static constexpr unsigned blocks(unsigned tiles, unsigned heads) noexcept {
    return (tiles * heads + warps - 1) / warps;
  }

  template <machine M>
  static DUPQ_DEVICE void run(const attention_task& task) {
    // Neighbouring warps read neighbouring heads of the same tokens.
    const unsigned unit = M::block() * warps + M::thread() / warp_size;
    if (unit >= task.count * task.heads) return;
    const attention_tile tile = M::load(task.tiles + unit / task.heads);
    const unsigned head = unit % task.heads, lane = M::thread() % warp_size, hidden = task.heads * HeadDim;
    const std::uint16_t* const qkv = task.qkv + head * HeadDim;
    const unsigned length = tile.end - tile.begin;
    const std::uint32_t shared = M::shared() + M::thread() / warp_size * 4 * tile_bytes;

    const auto copy = [&](unsigned key) {
      if (key < length) {
        DUPQ_UNROLL
        for (unsigned n = 0; n < keys * in_rows::chunks / warp_size; ++n) {
          const unsigned row = (lane + n * warp_size) / in_rows::chunks,
                         chunk = (lane + n * warp_size) % in_rows::chunks;
          const bool wanted = key + row < length;
          const std::uint16_t* const from =
              qkv + std::size_t{tile.begin + (wanted ? key + row : 0)} * 3 * hidden + hidden + chunk * 8;
          const std::uint32_t to = shared + key / keys % 2 * 2 * tile_bytes + in_rows::at(row, chunk);
          M::copy_16(to, from, wanted);
          M::copy_16(to + tile_bytes, from + hidden, wanted);
        }
      }
      M::copy_commit();
    };

    copy(0);
    query q;
    q.template load<M>(qkv, tile, hidden, lane);
    state s;
    s.clear();
    DUPQ_NO_UNROLL
    for (unsigned key = 0; key < length; key += keys) {
      M::template copy_wait<0>();
      M::sync_warp();  // these keys have landed, and no lane reads the ones before them any more
      copy(key + keys);
      const std::uint32_t stage = shared + key / keys % 2 * 2 * tile_bytes;
      float scores[2][4];
      q.template scores<M>(stage, lane, scores);
      const float* relative = nullptr;
      if constexpr (Relative) relative = task.relative + head * (2 * task.span - 1) + task.span - 1;
      scale<M>(scores, relative, tile, key, lane);
      s.template add<M>(scores, stage + tile_bytes, lane);
    }
    s.template store<M>(task.y + head * HeadDim, tile, hidden, lane);
  }

 private:
  using in_rows = gpu::tile<HeadDim * 2>;
  static constexpr float log2_e = 1.44269504088896340736f;
  static constexpr float score_scale = log2_e * (HeadDim == 32 ? 0.17677669529663688110f : 0.125f);

  struct query {
    std::uint32_t a[HeadDim / 16][4];

    template <machine M>
    DUPQ_DEVICE void load(const std::uint16_t* qkv, const attention_tile& tile, unsigned hidden, unsigned lane) {
      DUPQ_UNROLL
      for (unsigned half = 0; half < 2; ++half) {
        const unsigned token = tile.first + lane / 4 + 8 * half;
        const std::uint16_t* const from = qkv + std::size_t{token} * 3 * hidden + lane % 4 * 2;
        DUPQ_UNROLL
        for (unsigned i = 0; i < HeadDim / 8; ++i)
          a[i / 2][i % 2 * 2 + half] =
              token < tile.end ? M::load(reinterpret_cast<const half2*>(from + 8 * i)) : half2{0};
      }
    }
    template <machine M>
    DUPQ_DEVICE void scores(std::uint32_t stage, unsigned lane, float (&sums)[2][4]) const {
      DUPQ_UNROLL
      for (auto& of_tile : sums) DUPQ_UNROLL
      for (float& v : of_tile) v = 0;
      DUPQ_UNROLL
      for (unsigned i = 0; i < HeadDim / 16; ++i) {
        std::uint32_t b[4];
        M::load_matrices(b, stage + in_rows::at(lane / 16 * 8 + lane % 8, 2 * i + lane / 8 % 2));
        M::multiply_add(sums[0], a[i], b[0], b[1]);
        M::multiply_add(sums[1], a[i], b[2], b[3]);
      }
    }
  };

  /// Scores in powers of two; keys beyond the text's end can not be chosen.
  template <machine M>
  static DUPQ_DEVICE void scale(float (&scores)[2][4], const float* relative, const attention_tile& tile, unsigned key,
                                unsigned lane) {
    const unsigned length = tile.end - tile.begin;
    DUPQ_UNROLL
    for (unsigned t = 0; t < 2; ++t) DUPQ_UNROLL
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned k = key + 8 * t + lane % 4 * 2 + i % 2;
      float& s = scores[t][i];
      if (k >= length) {
        s = -__builtin_huge_valf();
        continue;
      }
      s *= score_scale;
      if constexpr (Relative) {
        unsigned q = tile.first - tile.begin + lane / 4 + i / 2 * 8;
        if (q >= length) q = length - 1;  // not stored, but its bias must exist
        s += log2_e * M::load(relative + static_cast<int>(q) - static_cast<int>(k));
      }
    }
  }

  /// The softmax so far: the highest score of each of the lane's two rows, this lane's share of the sum of their
  /// powers, and the values weighted by these.
  struct state {
    float highest[2], sum[2], values[HeadDim / 8][4];

    DUPQ_DEVICE void clear() {
      DUPQ_UNROLL
      for (unsigned r = 0; r < 2; ++r) highest[r] = -__builtin_huge_valf(), sum[r] = 0;
      DUPQ_UNROLL
      for (auto& of_tile : values) DUPQ_UNROLL
      for (float& v : of_tile) v = 0;
    }
    template <machine M>
    DUPQ_DEVICE void add(float (&scores)[2][4], std::uint32_t stage, unsigned lane) {
      DUPQ_UNROLL
      for (unsigned r = 0; r < 2; ++r) {
        float top = highest[r];
        DUPQ_UNROLL
        for (unsigned i = 0; i < 4; ++i) top = larger(top, scores[i / 2][2 * r + i % 2]);
        top = larger(top, M::exchange(top, 1));
        top = larger(top, M::exchange(top, 2));
        const float shrink = M::exp2(highest[r] - top);
        highest[r] = top;
        sum[r] *= shrink;
        DUPQ_UNROLL
        for (auto& of_tile : values) of_tile[2 * r] *= shrink, of_tile[2 * r + 1] *= shrink;
        DUPQ_UNROLL
        for (unsigned i = 0; i < 4; ++i) {
          float& s = scores[i / 2][2 * r + i % 2];
          s = M::exp2(s - top);
          sum[r] += s;
        }
      }
      const std::uint32_t a[4] = {M::pack(scores[0][0], scores[0][1]), M::pack(scores[0][2], scores[0][3]),
                                  M::pack(scores[1][0], scores[1][1]), M::pack(scores[1][2], scores[1][3])};
      DUPQ_UNROLL
      for (unsigned n = 0; n < HeadDim / 8; n += 2) {
        std::uint32_t b[4];
        M::load_matrices_transposed(b, stage + in_rows::at(lane % 16, n + lane / 16));
        M::multiply_add(values[n], a, b[0], b[1]);
        M::multiply_add(values[n + 1], a, b[2], b[3]);
      }
    }
    template <machine M>
    DUPQ_DEVICE void store(std::uint16_t* y, const attention_tile& tile, unsigned hidden, unsigned lane) {
      DUPQ_UNROLL
      for (unsigned r = 0; r < 2; ++r) {
        const unsigned token = tile.first + lane / 4 + 8 * r;
        const float inverse = 1 / sum_over_lanes<M, 4>(sum[r]);
        DUPQ_UNROLL
        for (unsigned n = 0; n < HeadDim / 8; n += 2) {
          const auto pair = [&](unsigned tile_of_8) {
            const float(&v)[4] = values[tile_of_8];
            return M::pack(v[2 * r] * inverse, v[2 * r + 1] * inverse);
          };
          quad_store<M>(y + std::size_t{token} * hidden + 8 * n, {pair(n), pair(n + 1)}, token < tile.end);
        }
      }
    }
    static DUPQ_DEVICE float larger(float a, float b) { return a > b ? a : b; }
  };
};

}  // namespace dupq::inline DUPQ_ABI::gpu
