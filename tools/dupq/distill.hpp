// A static model out of a bi-encoder, as model2vec 0.10 distils one: every token of the vocabulary goes through the
// model alone, between the special tokens; the mean of its vectors is cut to its principal components, and counts less
// the more frequent the token is.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/core/executor.hpp>
#include <dupq/core/platform.hpp>
#include <dupq/model.hpp>
#include <dupq/model/batch.hpp>
#include <dupq/model/transformer.hpp>
#include <dupq/workspace.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "symmetric_eigen.hpp"

namespace dupq_tool {

/// The tokens that get a vector, in the order of their ids, and their rows.
struct token_vectors {
  std::vector<std::int32_t> ids;
  std::size_t dim = 0;
  std::vector<float> rows;  ///< [ids][dim], and room for a panel behind
};

/// Tokens that texts can have: special and unused ones never come, or say nothing.
inline std::vector<std::int32_t> tokens_to_distil(const dupq::model& m) {
  constexpr std::int32_t control = 3, unknown = 2, unused = 5;  // the format's types
  const auto names = m.file().find("tokenizer.ggml.tokens"), types = m.file().find("tokenizer.ggml.token_type");
  std::vector<std::int32_t> ids;
  const std::byte* at = names->bytes.data();
  for (std::uint64_t id = 0; id < names->count; ++id) {
    const auto size = static_cast<std::size_t>(dupq::gguf::load<std::uint64_t>(at));
    const std::string_view name(reinterpret_cast<const char*>(at + 8), size);
    at += 8 + size;
    const bool typed = types && types->count == names->count && types->element == dupq::gguf::value_type::i32;
    const auto type = typed ? dupq::gguf::load<std::int32_t>(types->bytes.data() + 4 * id) : 1;
    const auto number = static_cast<std::int32_t>(id);
    const auto& o = m.tokenizer().options();
    if (type == control || type == unknown || type == unused || name.starts_with("[unused")) continue;
    if (number == o.cls || number == o.sep || number == o.pad || number == o.unk) continue;
    ids.push_back(number);
  }
  return ids;
}

/// Runs every token through the model: cls, token, sep.
inline token_vectors run_tokens(const dupq::model& m, const dupq::executor& on) {
  const dupq::config& c = m.config();
  token_vectors out;
  out.ids = tokens_to_distil(m);
  out.dim = c.hidden;
  out.rows.resize((out.ids.size()) * out.dim + dupq::panel_width);
  constexpr std::size_t per_batch = 64, length = 3;
  dupq::limits l{.text_tokens = length, .packed_tokens = per_batch * length, .texts = per_batch, .workers = on.count()};
  auto memory = dupq::workspace<dupq::cpu>::allocate(c, l);
  if (!memory) throw failure(memory.error());
  const auto& o = m.tokenizer().options();
  const std::size_t batches = (out.ids.size() + per_batch - 1) / per_batch;
  on.run(batches, [&](std::size_t number, std::size_t worker) {
    const dupq::float_environment ieee;
    const dupq::cpu device(m.kernel_table());
    dupq::batch<dupq::cpu>& b = (*memory)[worker];
    const std::size_t first = number * per_batch, last = std::min(first + per_batch, out.ids.size());
    for (std::size_t i = first; i < last; ++i) {
      const auto to = b.next();
      to[0] = o.cls, to[1] = out.ids[i], to[2] = o.sep;
      b.add(length, length, c, o.pad);
    }
    dupq::run_layers(device, m.weights(), c, b.view(), b.buffers());
    for (std::size_t i = first; i < last; ++i)
      m.kernel_table().mean(length, c.hidden, b.buffers().x.stride, b.buffers().x.row((i - first) * length),
                            out.rows.data() + i * c.hidden);
    b.clear(0);
  });
  return out;
}

/// Rows in their first `dim` principal components, [count][dim]; each component's sign is that of its largest value.
inline std::vector<float> principal_components(token_vectors& t, std::size_t dim, const dupq::kernels& k) {
  const dupq::float_environment ieee;
  const std::size_t n = t.ids.size(), wide = t.dim;
  std::vector<double> mean(wide);
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t i = 0; i < wide; ++i) mean[i] += double{t.rows[r * wide + i]};
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t i = 0; i < wide; ++i)
      t.rows[r * wide + i] = static_cast<float>(double{t.rows[r * wide + i]} - mean[i] / static_cast<double>(n));

  // Products by the library's kernels, whose bits are the same on every machine; the rows are their own panels.
  const std::size_t stride = dupq::round_up(wide, dupq::panel_width);
  std::vector<float> covariance(wide * stride);
  dupq::gemm_args g;
  g.a = t.rows.data(), g.a_stride = 1, g.a_step = wide;
  g.b = t.rows.data(), g.panel_stride = dupq::panel_width, g.b_stride = wide;
  g.c = covariance.data(), g.c_stride = stride;
  g.m = wide, g.n = wide, g.k = n;
  k.gemm(g);
  std::vector<double> both(wide * wide);
  for (std::size_t i = 0; i < wide; ++i)
    for (std::size_t j = 0; j < wide; ++j)
      both[i * wide + j] = (double{covariance[i * stride + j]} + double{covariance[j * stride + i]}) / 2;
  const eigen_pairs pairs = symmetric_eigen(std::move(both), wide);

  const std::size_t columns = dupq::round_up(dim, dupq::panel_width);
  std::vector<float> basis(wide * columns + dupq::panel_width), scores(n * columns);
  for (std::size_t d = 0; d < dim; ++d)
    for (std::size_t i = 0; i < wide; ++i) basis[i * columns + d] = static_cast<float>(pairs.vectors[d * wide + i]);
  g = {};
  g.a = t.rows.data(), g.a_stride = wide;
  g.b = basis.data(), g.panel_stride = dupq::panel_width, g.b_stride = columns;
  g.c = scores.data(), g.c_stride = columns;
  g.m = n, g.n = dim, g.k = wide;
  k.gemm(g);
  std::vector<float> largest(dim);
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t d = 0; d < dim; ++d)
      if (std::abs(scores[r * columns + d]) > std::abs(largest[d])) largest[d] = scores[r * columns + d];
  std::vector<float> out(n * dim);
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t d = 0; d < dim; ++d)
      out[r * dim + d] = largest[d] < 0 ? -scores[r * columns + d] : scores[r * columns + d];
  return out;
}

/// What a token counts for, by how probable it is (smooth inverse frequency).
inline double token_weight(double probability) {
  constexpr double rare = 1e-4;
  return rare / (rare + probability);
}

/// By Zipf's law: a vocabulary is mostly sorted by frequency, and the token at place r is 1 / (r + 2) as frequent.
inline std::vector<double> zipf_weights(std::size_t n) {
  double sum = 0;
  for (std::size_t r = 0; r < n; ++r) sum += 1 / static_cast<double>(r + 2);
  std::vector<double> out;
  for (std::size_t r = 0; r < n; ++r) out.push_back(token_weight(1 / static_cast<double>(r + 2) / sum));
  return out;
}

/// By how often each token comes in texts; one that never comes counts as once.
inline std::vector<double> counted_weights(const std::vector<std::int32_t>& ids,
                                           const std::vector<std::uint64_t>& counts) {
  double sum = 0;
  for (const std::int32_t id : ids) sum += static_cast<double>(counts[static_cast<std::size_t>(id)] + 1);
  std::vector<double> out;
  for (const std::int32_t id : ids)
    out.push_back(token_weight(static_cast<double>(counts[static_cast<std::size_t>(id)] + 1) / sum));
  return out;
}

}  // namespace dupq_tool
