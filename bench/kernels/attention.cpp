// attention/TABLE/head_dim:D/tokens:N: all twelve heads of one text, scores to values; OP/s count the two products.
#include "support.hpp"

namespace bench {
namespace {

constexpr std::size_t heads = 12;

void attention(benchmark::State& state, const kernels& table, std::size_t tokens, std::size_t head_dim) {
  dupq::config c;
  c.heads = static_cast<std::uint32_t>(heads), c.hidden = static_cast<std::uint32_t>(heads * head_dim);
  c.intermediate = 4 * c.hidden;
  buffer<float> qkv(tokens * 3 * c.hidden + dupq::panel_width), y(tokens * c.hidden + dupq::panel_width);
  buffer<float> scratch(static_cast<std::size_t>(dupq::cpu::scratch_floats(c, tokens, tokens)));
  const std::uint32_t offsets[] = {0, static_cast<std::uint32_t>(tokens)};
  dupq::token_batch batch;
  batch.offsets = offsets, batch.texts = 1, batch.tokens = tokens;
  const dupq::cpu device(table);
  time_product(state, float_peak(table), 4.0 * static_cast<double>(tokens * tokens * c.hidden), [&] {
    device.attention(batch, {heads, head_dim, nullptr, 0}, {qkv.data(), tokens, 3 * c.hidden}, scratch.data(),
                     {y.data(), tokens, c.hidden});
  });
}

const int registered = [] {
  for (const std::size_t head_dim : {32u, 64u})
    for (const std::size_t tokens : {8u, 14u, 16u, 24u, 64u, 128u})
      add("attention", "head_dim:" + std::to_string(head_dim) + "/tokens:" + std::to_string(tokens),
          [=](benchmark::State& state, const kernels& table) { attention(state, table, tokens, head_dim); });
  return 0;
}();

}  // namespace
}  // namespace bench
