// The second kernel of a layer: what follows attention, for bins of 64 rows whose sums never leave the registers.
//
//   y = norm(context Wo^T + bo + x),  x = norm(gelu(y Wu^T + bu) Wd^T + bd + y)
//
// The perceptron goes by 64 of its columns at a time: a warpgroup computes them, and multiplies them at once, as
// fragments, into the sums of the result.
#pragma once

#include "ring.hpp"
#include "sums.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

enum mlp_vector { projection_bias, attention_gain, attention_bias, down_bias, last_gain, last_bias };

struct mlp_args {
  const half* context = nullptr;   ///< bins
  half* x = nullptr;               ///< bins: the residual, and the result where `rows` is null
  const half* tape = nullptr;      ///< see mlp_tape
  const float* vectors = nullptr;  ///< [6][384]: see mlp_vector
  const float* up_bias = nullptr;
  const std::uint32_t* rows = nullptr;  ///< [bins][64]: the row of `y`, or ~0; or null
  half* y = nullptr;                    ///< [tokens][384]
  int pairs = 0;                        ///< of bins
  int inner = 0;                        ///< a multiple of 64
  float epsilon = 0;
};

template <int Hidden>
struct mlp_shape {
  static_assert(Hidden == 384, "a row's sums fill the registers");
  using tape = mlp_tape<Hidden>;
  using ring = stage_ring<5, tape::stage_bytes, 8>;
  static constexpr int threads = 256, panels = Hidden / panel_columns;
  static constexpr std::uint32_t stages = 2 * bin_bytes(Hidden);  ///< where the ring lies, behind the two bins
  static constexpr std::uint32_t barriers = stages + ring::bytes;
  static constexpr std::uint32_t arrivals = round_up(barriers + ring::barrier_bytes, 8);
  static constexpr std::uint32_t vectors = arrivals + 32;  ///< biases and gains, in the order of mlp_vector
  static constexpr std::uint32_t vector_bytes = Hidden * 4;
  static constexpr std::size_t shared_bytes = vectors + 6 * vector_bytes;
};

/// What one warpgroup does with the bin that it works on.
template <int Hidden>
class mlp_rows {
 public:
  using shape = mlp_shape<Hidden>;
  using tape = typename shape::tape;
  using ring = typename shape::ring;

  DUPQ_DEVICE mlp_rows(const mlp_args& args, std::uint32_t shared, int group, int warp, int lane) noexcept
      : args_(args),
        bin_(shared + static_cast<std::uint32_t>(group) * bin_bytes(Hidden)),
        context_there_(shared + shape::arrivals + 16 * static_cast<std::uint32_t>(group)),
        vectors_(shared + shape::vectors + static_cast<std::uint32_t>(lane % 4) * 4),
        row_(static_cast<std::uint32_t>(16 * warp + lane / 4)),
        place_(bin_ + bin_offset(row_, static_cast<std::uint32_t>(lane % 4))),
        group_(group),
        lane_(lane),
        leads_(warp == 0 && lane == 0) {}

  /// sums = context Wo^T. As soon as a panel of the context is read, x, which the residual connection needs, is fetched
  /// into its place.
  DUPQ_DEVICE void project(ring& weights, row_halves& sums, const half* x, std::uint32_t parity) noexcept {
    if (leads_) ptx::arrive_expect(x_there(), bin_bytes(Hidden));
    ptx::wait_barrier(context_there_, parity);
    const std::uint64_t a = ptx::descriptor128(bin_);
    DUPQ_GPU_ROLLED
    for (int k = 0; k < shape::panels; ++k) {
      DUPQ_GPU_UNROLL
      for (int h = 0; h < 2; ++h) {
        const std::uint64_t b = ptx::descriptor128(weights.get());
        ptx::warpgroup_fence();
        DUPQ_GPU_UNROLL
        for (std::uint32_t q = 0; q < 4; ++q)
          ptx::warpgroup_multiply(sums[h], a + static_cast<std::uint32_t>(k) * (panel_bytes / 16) + q * 2, b + q * 2,
                                  k != 0 || q != 0);
        ptx::warpgroup_commit();
        ptx::warpgroup_wait<0>();
        weights.put(lane_);
      }
      ptx::named_barrier(1 + group_, 128);
      if (leads_) {
        const std::uint32_t at = static_cast<std::uint32_t>(k) * panel_bytes;
        ptx::bulk_load(bin_ + at, x + at / 2, panel_bytes, x_there());
      }
    }
  }
  /// y = norm(sums + bias + x), stored where x was: the next products read it there.
  DUPQ_DEVICE void norm_attention(row_halves& sums, std::uint32_t parity) noexcept {
    ptx::wait_barrier(x_there(), parity);
    add_residual(sums, projection_bias);
    normalize_rows(sums, vector(attention_gain), vector(attention_bias), args_.epsilon,
                   [this](int chunk, int r, const float(&v)[8]) { ptx::store_shared4(place(chunk, r), narrow(v)); });
    ptx::fence_async();
    ptx::named_barrier(1 + group_, 128);
  }
  /// sums += bias + the rows in shared memory.
  DUPQ_DEVICE void add_residual(row_halves& sums, mlp_vector bias) noexcept {
    each_group([&](int h, int g, int chunk) {
      float biases[8];
      load_vector(vector(bias), chunk, biases);
      DUPQ_GPU_UNROLL
      for (int r = 0; r < 2; ++r) {
        float v[8];
        widen(ptx::load_shared4(place(chunk, r)), v);
        DUPQ_GPU_UNROLL
        for (int i = 0; i < 8; ++i) number(sums[h], g, r, i) = number(sums[h], g, r, i) + biases[i] + v[i];
      }
    });
  }
  /// hidden = y Wu^T of 64 columns of the perceptron.
  DUPQ_DEVICE void up(ring& weights, float (&hidden)[32]) noexcept {
    DUPQ_GPU_UNROLL
    for (int s = 0; s < 2; ++s) {
      const std::uint64_t a = ptx::descriptor128(bin_ + static_cast<std::uint32_t>(s) * 3 * panel_bytes);
      const std::uint64_t b = ptx::descriptor128(weights.get());
      ptx::warpgroup_fence();
      DUPQ_GPU_UNROLL
      for (std::uint32_t k = 0; k < 3; ++k) DUPQ_GPU_UNROLL
      for (std::uint32_t q = 0; q < 4; ++q) {
        const std::uint64_t step = k * (panel_bytes / 16) + q * 2;
        ptx::warpgroup_multiply(hidden, a + step, b + step, s != 0 || k != 0 || q != 0);
      }
      ptx::warpgroup_commit();
      ptx::warpgroup_wait<0>();
      weights.put(lane_);
    }
  }
  /// The columns' activation, as fragments.
  DUPQ_DEVICE void activate(float (&hidden)[32], int first, std::uint32_t (&fragments)[4][4]) noexcept {
    DUPQ_GPU_UNROLL
    for (int g = 0; g < 2; ++g) {
      float bias[8];
      load_floats(args_.up_bias + first + 32 * g + 8 * (lane_ % 4), bias);
      DUPQ_GPU_UNROLL
      for (int i = 0; i < 4; ++i) DUPQ_GPU_UNROLL
      for (int r = 0; r < 2; ++r) {
        const float* const two = hidden + 16 * g + 4 * i + 2 * r;
        fragments[2 * g + i / 2][i % 2 * 2 + r] =
            ptx::pack_halves(fast_gelu(two[0] + bias[2 * i]), fast_gelu(two[1] + bias[2 * i + 1]));
      }
    }
  }
  /// sums = fragments Wd^T (+ sums).
  DUPQ_DEVICE void down(ring& weights, const std::uint32_t (&fragments)[4][4], row_halves& sums, bool add) noexcept {
    DUPQ_GPU_UNROLL
    for (int h = 0; h < 2; ++h) {
      const std::uint64_t b = ptx::descriptor128(weights.get());
      ptx::warpgroup_fence();
      DUPQ_GPU_UNROLL
      for (std::uint32_t q = 0; q < 4; ++q) ptx::warpgroup_multiply(sums[h], fragments[q], b + q * 2, add || q != 0);
      ptx::warpgroup_commit();
      ptx::warpgroup_wait<0>();
      weights.put(lane_);
    }
  }
  /// Fetches a bin's context; the warpgroup is done with what was there.
  DUPQ_DEVICE void fetch(const half* context) noexcept {
    if (!leads_) return;
    ptx::arrive_expect(context_there_, bin_bytes(Hidden));
    ptx::bulk_load(bin_, context, bin_bytes(Hidden), context_there_);
  }
  /// Stores norm(sums) as rows of y or of bin number `bin` of x.
  DUPQ_DEVICE void store(row_halves& sums, int bin) noexcept {
    // Chunks of a panel are swizzled, those of a row are not; panels and rows go on with different strides.
    const bool gather = args_.rows != nullptr;
    const std::uint32_t stride = gather ? 2 * panel_columns : panel_bytes;
    char* to[2];
    bool wanted[2];
    DUPQ_GPU_UNROLL
    for (int r = 0; r < 2; ++r) {
      if (gather) {
        const std::uint32_t row =
            ptx::load_global(args_.rows + static_cast<std::uint32_t>(bin) * bin_rows + row_ + 8 * r);
        to[r] = reinterpret_cast<char*>(args_.y) + static_cast<std::size_t>(row) * (2 * Hidden) + lane_ % 4 * 16;
        wanted[r] = row != ~0u;
      } else {
        to[r] = reinterpret_cast<char*>(args_.x) + static_cast<std::size_t>(bin) * bin_bytes(Hidden) + r * 1024 +
                bin_offset(row_, static_cast<std::uint32_t>(lane_ % 4));
        wanted[r] = true;
      }
    }
    const int odd = gather || row_ % 8 < 4 ? 64 : -64;
    normalize_rows(
        sums, vector(last_gain), vector(last_bias), args_.epsilon, [&](int chunk, int r, const float(&v)[8]) {
          if (wanted[r])
            ptx::store_global4(to[r] + static_cast<std::uint32_t>(chunk / 8) * stride + (chunk % 8 == 0 ? 0 : odd),
                               narrow(v));
        });
  }
  /// Address of the lane's first column.
  DUPQ_DEVICE std::uint32_t vector(mlp_vector which) const noexcept {
    return vectors_ + static_cast<std::uint32_t>(which) * shape::vector_bytes;
  }
  /// A barrier of the warpgroup's warps.
  DUPQ_DEVICE void meet() const noexcept { ptx::named_barrier(1 + group_, 128); }

 private:
  DUPQ_DEVICE std::uint32_t x_there() const noexcept { return context_there_ + 8; }
  DUPQ_DEVICE std::uint32_t place(int chunk, int r) const noexcept {
    return (chunk % 8 == 0 ? place_ : place_ ^ 64) + static_cast<std::uint32_t>(chunk / 8) * panel_bytes +
           static_cast<std::uint32_t>(r) * 1024;
  }

  const mlp_args& args_;
  std::uint32_t bin_, context_there_, vectors_, row_, place_;
  int group_, lane_;
  bool leads_;
};

/// Blocks: up to `pairs`. Shared memory: mlp_shape<Hidden>::shared_bytes. sm_90a; nothing elsewhere.
template <int Hidden>
DUPQ_KERNEL(mlp_shape<Hidden>::threads, 1)
mlp_kernel(mlp_args args) {
#if DUPQ_WARPGROUPS
  using shape = mlp_shape<Hidden>;
  const int thread = ptx::thread_index(), group = ptx::uniform(thread / 128), lane = thread % 32;
  const int count = (args.pairs - ptx::block_index() + ptx::block_count() - 1) / ptx::block_count();
  const int columns = args.inner / panel_columns, stages = shape::tape::stages(args.inner);
  const std::uint32_t shared = ptx::shared_base();
  typename shape::ring weights(shared + shape::stages, shared + shape::barriers, {args.tape, stages}, count * stages);
  if (thread == 0) {
    weights.init();
    DUPQ_GPU_UNROLL
    for (std::uint32_t i = 0; i < 4; ++i) ptx::init_barrier(shared + shape::arrivals + 8 * i, 1);
    ptx::fence_barriers();
  }
  DUPQ_GPU_ROLLED
  for (int i = thread; i < 6 * Hidden; i += shape::threads)
    ptx::store_shared(shared + shape::vectors + static_cast<std::uint32_t>(i / Hidden) * shape::vector_bytes +
                          vector_offset(i % Hidden),
                      ptx::load_constant(args.vectors + i));
  ptx::block_barrier();
  if (thread == 0) weights.start();
  ptx::launch_next_kernel();
  ptx::wait_for_previous_kernel();

  mlp_rows<Hidden> rows(args, shared, group, thread % 128 / 32, lane);
  const auto bin_of = [&](int n) { return 2 * (ptx::block_index() + n * ptx::block_count()) + group; };
  const auto halves_to = [](int bin) { return static_cast<std::size_t>(bin) * (bin_bytes(Hidden) / 2); };
  rows.fetch(args.context + halves_to(bin_of(0)));
  DUPQ_GPU_ROLLED
  for (int n = 0; n < count; ++n) {
    row_halves sums;
    rows.project(weights, sums, args.x + halves_to(bin_of(n)), static_cast<std::uint32_t>(n) & 1);
    rows.norm_attention(sums, static_cast<std::uint32_t>(n) & 1);
    DUPQ_GPU_ROLLED
    for (int c = 0; c < columns; ++c) {
      float hidden[32];
      rows.up(weights, hidden);
      std::uint32_t fragments[4][4];
      rows.activate(hidden, c * panel_columns, fragments);
      rows.down(weights, fragments, sums, c != 0);
    }
    rows.add_residual(sums, down_bias);
    rows.meet();
    if (n + 1 < count) rows.fetch(args.context + halves_to(bin_of(n + 1)));
    rows.store(sums, bin_of(n));
  }
#endif
}

}  // namespace dupq::inline DUPQ_ABI::gpu
