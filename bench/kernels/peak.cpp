// peak/TABLE, peak8/TABLE: independent chains of multiply-adds in registers, nothing loaded or stored.
#include <dupq/device/cpu/lanes.hpp>

#include "support.hpp"

namespace bench {
namespace {

constexpr int chains = 12;  // two units, each with a latency of 4 to 5 cycles, need 8 to 10
constexpr int steps = 20'000;

#if defined(DUPQ_X86)

/// x = x / 2 + 1/2, which stays near 1: no overflow, no subnormal numbers.
DUPQ_TARGET("avx2,fma") DUPQ_NOINLINE void run_avx2() {
  __m256 x[chains];
  const __m256 half = _mm256_set1_ps(0.5f);
  DUPQ_UNROLL
  for (int c = 0; c < chains; ++c) x[c] = _mm256_set1_ps(static_cast<float>(c));
  for (int i = 0; i < steps; ++i) {
    DUPQ_UNROLL
    for (int c = 0; c < chains; ++c) x[c] = _mm256_fmadd_ps(x[c], half, half);
  }
  DUPQ_UNROLL
  for (int c = 0; c < chains; ++c) __asm__ volatile("" : : "x"(x[c]));
}

DUPQ_TARGET("avx512f") DUPQ_NOINLINE void run_avx512() {
  __m512 x[chains];
  const __m512 half = _mm512_set1_ps(0.5f);
  DUPQ_UNROLL
  for (int c = 0; c < chains; ++c) x[c] = _mm512_set1_ps(static_cast<float>(c));
  for (int i = 0; i < steps; ++i) {
    DUPQ_UNROLL
    for (int c = 0; c < chains; ++c) x[c] = _mm512_fmadd_ps(x[c], half, half);
  }
  DUPQ_UNROLL
  for (int c = 0; c < chains; ++c) __asm__ volatile("" : : "v"(x[c]));
}

// Written as assembly: compilers see that integer sums of a constant can be multiplied out.
DUPQ_TARGET("avx2") DUPQ_NOINLINE void run_avx2_bytes() {
  for (int i = 0; i < steps; ++i)
    __asm__ volatile(
#define DUPQ_BENCH_STEP(n)                   \
  "vpmaddubsw %%ymm12, %%ymm13, %%ymm14\n\t" \
  "vpmaddwd %%ymm12, %%ymm14, %%ymm14\n\t"   \
  "vpaddd %%ymm14, %%ymm" #n ", %%ymm" #n "\n\t"
        DUPQ_BENCH_STEP(0) DUPQ_BENCH_STEP(1) DUPQ_BENCH_STEP(2) DUPQ_BENCH_STEP(3) DUPQ_BENCH_STEP(4)
            DUPQ_BENCH_STEP(5) DUPQ_BENCH_STEP(6) DUPQ_BENCH_STEP(7) DUPQ_BENCH_STEP(8) DUPQ_BENCH_STEP(9)
                DUPQ_BENCH_STEP(10) DUPQ_BENCH_STEP(11)
#undef DUPQ_BENCH_STEP
        :
        :
        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm14");
}
DUPQ_TARGET("avx2,avxvnni") DUPQ_NOINLINE void run_avx_vnni() {
  for (int i = 0; i < steps; ++i)
    __asm__ volatile(
#define DUPQ_BENCH_STEP(n) "%{vex%} vpdpbusd %%ymm12, %%ymm13, %%ymm" #n "\n\t"
        DUPQ_BENCH_STEP(0) DUPQ_BENCH_STEP(1) DUPQ_BENCH_STEP(2) DUPQ_BENCH_STEP(3) DUPQ_BENCH_STEP(4)
            DUPQ_BENCH_STEP(5) DUPQ_BENCH_STEP(6) DUPQ_BENCH_STEP(7) DUPQ_BENCH_STEP(8) DUPQ_BENCH_STEP(9)
                DUPQ_BENCH_STEP(10) DUPQ_BENCH_STEP(11)
#undef DUPQ_BENCH_STEP
        :
        :
        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11");
}
DUPQ_TARGET("avx512f,avx512vnni") DUPQ_NOINLINE void run_avx512_vnni() {
  for (int i = 0; i < steps; ++i)
    __asm__ volatile(
#define DUPQ_BENCH_STEP(n) "vpdpbusd %%zmm12, %%zmm13, %%zmm" #n "\n\t"
        DUPQ_BENCH_STEP(0) DUPQ_BENCH_STEP(1) DUPQ_BENCH_STEP(2) DUPQ_BENCH_STEP(3) DUPQ_BENCH_STEP(4)
            DUPQ_BENCH_STEP(5) DUPQ_BENCH_STEP(6) DUPQ_BENCH_STEP(7) DUPQ_BENCH_STEP(8) DUPQ_BENCH_STEP(9)
                DUPQ_BENCH_STEP(10) DUPQ_BENCH_STEP(11)
#undef DUPQ_BENCH_STEP
        :
        :
        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11");
}
#if defined(DUPQ_AMX)
DUPQ_TARGET("amx-tile,amx-int8") DUPQ_NOINLINE void run_amx() {
  static constexpr dupq::amx_kernels::tile_shapes shapes;
  __asm__ volatile("" : : "r"(&shapes) : "memory");
  _tile_loadconfig(&shapes);
  for (int i = 0; i < steps; ++i) {
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
  _tile_release();
}
#endif
#endif

void run(benchmark::State& state, const peak& p) {
  if (p.run == nullptr) return state.SkipWithError("no loop for this table");
  for (auto _ : state) p.run();
  state.counters["OP/s"] =
      benchmark::Counter(p.operations * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

}  // namespace

peak float_peak([[maybe_unused]] const kernels& table) {
#if defined(DUPQ_X86)
  const std::string_view name = table.name;
  if (name.starts_with("avx512")) return {run_avx512, 2.0 * 16 * chains * steps};
  if (name.starts_with("avx")) return {run_avx2, 2.0 * 8 * chains * steps};
#endif
  return {};
}

peak byte_peak([[maybe_unused]] const kernels& table) {
#if defined(DUPQ_X86)
  const std::string_view name = table.name;
#if defined(DUPQ_AMX)
  if (name == "avx512-amx") return {run_amx, 2.0 * 16 * 16 * 64 * 4 * steps};
#endif
  if (name == "avx512-vnni") return {run_avx512_vnni, 2.0 * 64 * chains * steps};
  if (name == "avx-vnni") return {run_avx_vnni, 2.0 * 32 * chains * steps};
  if (name == "avx2") return {run_avx2_bytes, 2.0 * 32 * chains * steps};
#endif
  return {};
}

const int floats = add("peak", "", [](benchmark::State& s, const kernels& table) { run(s, float_peak(table)); });
const int bytes = add("peak8", "", [](benchmark::State& s, const kernels& table) { run(s, byte_peak(table)); });

}  // namespace bench
