// Each kernel of each table that this CPU can run, and the share of the core's peak that a product reaches.
//
//   bench_kernels [--benchmark_filter=gemm/avx2] [--benchmark_repetitions=9 --benchmark_report_aggregates_only=true]
//
// The peak is measured in the same process, right before and after each product: it follows the clock of the moment.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <dupq/core/arena.hpp>
#include <dupq/device/cpu/cpu.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using dupq::kernels;
using clock = std::chrono::steady_clock;

double since(clock::time_point begin) { return std::chrono::duration<double>(clock::now() - begin).count(); }

// ---- the peak: independent chains of fused multiply-adds in registers, nothing loaded or stored
// ----------------------

constexpr int peak_chains = 12;  // two units, each with a latency of 4 to 5 cycles, need 8 to 10
constexpr int peak_steps = 20'000;

#if defined(DUPQ_X86)
/// x = x / 2 + 1/2, which stays near 1: no overflow, no subnormal numbers.
DUPQ_TARGET("avx2,fma") DUPQ_NOINLINE void run_peak_avx2() {
  __m256 x[peak_chains];
  const __m256 half = _mm256_set1_ps(0.5f);
  DUPQ_UNROLL
  for (int c = 0; c < peak_chains; ++c) x[c] = _mm256_set1_ps(static_cast<float>(c));
  for (int i = 0; i < peak_steps; ++i) {
    DUPQ_UNROLL
    for (int c = 0; c < peak_chains; ++c) x[c] = _mm256_fmadd_ps(x[c], half, half);
  }
  DUPQ_UNROLL
  for (int c = 0; c < peak_chains; ++c) __asm__ volatile("" : : "x"(x[c]));
}

DUPQ_TARGET("avx512f") DUPQ_NOINLINE void run_peak_avx512() {
  __m512 x[peak_chains];
  const __m512 half = _mm512_set1_ps(0.5f);
  DUPQ_UNROLL
  for (int c = 0; c < peak_chains; ++c) x[c] = _mm512_set1_ps(static_cast<float>(c));
  for (int i = 0; i < peak_steps; ++i) {
    DUPQ_UNROLL
    for (int c = 0; c < peak_chains; ++c) x[c] = _mm512_fmadd_ps(x[c], half, half);
  }
  DUPQ_UNROLL
  for (int c = 0; c < peak_chains; ++c) __asm__ volatile("" : : "v"(x[c]));
}
#endif

struct peak {
  void (*run)() = nullptr;
  int lanes = 0;
};

/// The loop of a table's instruction set; none for scalar, whose fused multiply-add may be a library function.
peak peak_of([[maybe_unused]] std::string_view table) {
#if defined(DUPQ_X86)
  if (table == "avx2") return {run_peak_avx2, 8};
  if (table == "avx512") return {run_peak_avx512, 16};
#endif
  return {};
}

double flops(const peak& p) { return 2.0 * p.lanes * peak_chains * peak_steps; }

/// FLOP/s, the best of eight loops (about a millisecond in all): an interruption only ever makes a loop slower.
double measure(const peak& p) {
  double best = 0;
  for (int i = 0; i < 8; ++i) {
    const auto begin = clock::now();
    p.run();
    best = std::max(best, flops(p) / since(begin));
  }
  return best;
}

void peak_of_core(benchmark::State& state, peak p) {
  for (auto _ : state) p.run();
  state.counters["FLOP/s"] =
      benchmark::Counter(flops(p) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

// ---- data --------------------------------------------------------------------------------------------------------

/// Numbers in [-1, 1), aligned as tensors in model files are.
class buffer {
 public:
  explicit buffer(std::size_t n) : bytes_(n * sizeof(float) + dupq::alignment) {
    void* start = bytes_.data();
    std::size_t space = bytes_.size();
    data_ = static_cast<float*>(std::align(dupq::alignment, n * sizeof(float), start, space));
    std::uint32_t seed = 1;
    for (float& x : std::span(data_, n)) {
      seed = seed * 1664525u + 1013904223u;
      x = static_cast<float>(static_cast<std::int32_t>(seed) >> 8) * 0x1p-23f;
    }
  }
  float* data() { return data_; }

 private:
  std::vector<std::byte> bytes_;
  float* data_;
};

void count_elements(benchmark::State& state, std::size_t n) {
  state.counters["s/element"] = benchmark::Counter(static_cast<double>(n) * static_cast<double>(state.iterations()),
                                                   benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// ---- the kernels ---------------------------------------------------------------------------------------------------

struct shape {
  std::size_t n, k;
};

void gemm(benchmark::State& state, const kernels* table, std::size_t m, shape s, dupq::activation act) {
  buffer a(m * s.k), b(dupq::round_up(s.n, dupq::panel_width) * s.k), c(m * s.n), bias(s.n);
  dupq::gemm_args g;
  g.a = a.data(), g.a_stride = s.k;
  g.b = b.data(), g.panel_stride = s.k * dupq::panel_width;
  g.c = c.data(), g.c_stride = s.n;
  g.m = m, g.n = s.n, g.k = s.k;
  g.bias = bias.data(), g.act = act;
  const peak p = peak_of(table->name);
  const double before = p.run == nullptr ? 0 : measure(p);
  const auto begin = clock::now();
  for (auto _ : state) table->gemm(g), benchmark::ClobberMemory();
  const double operations = 2.0 * static_cast<double>(m * s.n * s.k) * static_cast<double>(state.iterations());
  const double rate = operations / since(begin);
  state.counters["FLOP/s"] = rate;
  if (p.run != nullptr) state.counters["share"] = rate / ((before + measure(p)) / 2);
}

/// The epilogue almost alone: a product over k = 1.
void gelu(benchmark::State& state, const kernels* table) {
  gemm(state, table, 64, {1536, 1}, dupq::activation::gelu);
  state.counters.erase("FLOP/s");
  state.counters.erase("share");
  count_elements(state, 64 * 1536);
}

void norm(benchmark::State& state, const kernels* table, std::size_t n) {
  constexpr std::size_t rows = 64;
  buffer x(rows * n), gain(n), bias(n);
  for (auto _ : state) table->norm(rows, n, n, gain.data(), bias.data(), 1e-12f, x.data()), benchmark::ClobberMemory();
  count_elements(state, rows * n);
}

void softmax(benchmark::State& state, const kernels* table, std::size_t n) {
  buffer x(dupq::round_up(n, dupq::panel_width)), bias(n);
  for (auto _ : state) table->softmax(n, 0.125f, bias.data(), x.data()), benchmark::ClobberMemory();
  count_elements(state, n);
}

/// All heads of one text, scores to values; FLOP/s count the two products only.
void attention(benchmark::State& state, const kernels* table, std::size_t tokens, std::size_t head_dim) {
  constexpr std::size_t heads = 12;
  const std::size_t hidden = heads * head_dim;
  buffer qkv(tokens * 3 * hidden), y(tokens * hidden), scratch(dupq::cpu::attention_scratch(tokens, head_dim));
  const std::uint32_t offsets[] = {0, static_cast<std::uint32_t>(tokens)};
  dupq::token_batch batch;
  batch.offsets = offsets, batch.texts = 1, batch.tokens = tokens;
  const dupq::cpu device(*table);
  for (auto _ : state) {
    device.attention(batch, {heads, head_dim, nullptr, 0}, {qkv.data(), tokens, 3 * hidden}, scratch.data(),
                     {y.data(), tokens, hidden});
    benchmark::ClobberMemory();
  }
  state.counters["FLOP/s"] =
      benchmark::Counter(4.0 * static_cast<double>(tokens * tokens * hidden) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate);
}

// ---- what runs
// -------------------------------------------------------------------------------------------------------

struct model_shapes {
  const char* name;
  std::size_t hidden, feed_forward;
};
constexpr model_shapes models[] = {{"minilm", 384, 1536}, {"mpnet", 768, 3072}};

void add_products(const kernels* table, const std::string& name) {
  const bool slow = name == "scalar";  // the definition, not a fast path: small products say enough
  for (const auto& [model, hidden, feed_forward] : models) {
    const std::pair<const char*, shape> products[] = {{"qkv", {3 * hidden, hidden}},
                                                      {"attention_output", {hidden, hidden}},
                                                      {"up", {feed_forward, hidden}},
                                                      {"down", {hidden, feed_forward}}};
    for (const auto& [product, s] : products)
      for (const std::size_t m : {1u, 14u, 64u, 192u}) {
        if (slow && m > 1) continue;
        const auto act = std::string_view(product) == "up" ? dupq::activation::gelu : dupq::activation::none;
        benchmark::RegisterBenchmark(
            ("gemm/" + name + "/" + model + "/" + product + "/m:" + std::to_string(m)).c_str(),
            [table, m = m, s = s, act](benchmark::State& state) { gemm(state, table, m, s, act); });
      }
  }
}

void add_table(const kernels* table) {
  const std::string name = table->name;
  if (const peak p = peak_of(name); p.run != nullptr)
    benchmark::RegisterBenchmark(("peak/" + name).c_str(), [p](benchmark::State& state) { peak_of_core(state, p); });
  add_products(table, name);
  benchmark::RegisterBenchmark(("gelu/" + name).c_str(), [table](benchmark::State& state) { gelu(state, table); });
  for (const std::size_t n : {384u, 768u})
    benchmark::RegisterBenchmark(("norm/" + name + "/n:" + std::to_string(n)).c_str(),
                                 [table, n = n](benchmark::State& state) { norm(state, table, n); });
  for (const std::size_t n : {14u, 64u, 128u})
    benchmark::RegisterBenchmark(("softmax/" + name + "/n:" + std::to_string(n)).c_str(),
                                 [table, n = n](benchmark::State& state) { softmax(state, table, n); });
  for (const std::size_t head_dim : {32u, 64u})
    for (const std::size_t tokens : {14u, 64u, 128u})
      benchmark::RegisterBenchmark(
          ("attention/" + name + "/head_dim:" + std::to_string(head_dim) + "/tokens:" + std::to_string(tokens)).c_str(),
          [=](benchmark::State& state) { attention(state, table, tokens, head_dim); });
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const kernels* table : dupq::available_kernels()) add_table(table);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
