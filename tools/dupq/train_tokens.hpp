// How many tokens the steps of a training have, for the memory that they need.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/encoder.hpp>
#include <dupq/model.hpp>
#include <dupq/static_encoder.hpp>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "session.hpp"
#include "train_plan.hpp"
#include "train_rows.hpp"

namespace dupq_tool {

struct step_tokens {
  std::size_t most = 0;         ///< of one step
  std::uint64_t total = 0;      ///< of one epoch
  std::uint64_t truncated = 0;  ///< texts (of a cross-encoder: pairs) that are longer than the model reads
};

/// Counts the tokens of all rows and adds them up for every step of the plan.
inline step_tokens count_tokens(const dupq::model& model, const train_rows& rows, train_plan& plan) {
  const dupq::config& c = model.config();
  const bool pairs = c.kind == dupq::model_kind::cross_encoder;
  dupq::limits limits;
  limits.text_tokens = c.max_length;
  const auto prompt = take(dupq::prompt_for(model, {}, limits));
  std::vector<std::int32_t> ids(c.max_length);
  step_tokens found;
  std::unordered_map<std::string_view, std::uint32_t> known;
  const auto count = [&](const dupq::tokenizer::encoding& e) {
    found.truncated += e.truncated;
    return e.tokens;
  };
  constexpr auto mode = dupq::special_tokens::parse;
  const bool is_static = c.kind == dupq::model_kind::static_encoder;
  const auto table = is_static ? take(dupq::static_table::read(model.file(), c, false, false)) : dupq::static_table();
  const auto tokens_of = [&](std::string_view t) {
    if (!is_static) return count(dupq::encode_text(model, prompt, t, ids, mode));
    const auto read = dupq::static_tokens::read(model, table, prompt, t, ids, mode);
    found.truncated += read.truncated;
    return static_cast<std::uint32_t>(read.ids.size());
  };
  const auto text = [&](std::string_view t) {
    const auto [at, is_new] = known.try_emplace(t, 0);
    if (is_new) at->second = tokens_of(t);
    return at->second;
  };
  std::vector<std::uint32_t> tokens(rows.size());
  for (const std::uint32_t row : rows.training) {
    const std::string_view a = rows.pairs.first[row], b = rows.pairs.second[row];
    tokens[row] = pairs ? count(dupq::encode_pair(model, prompt, a, b, ids, mode))
                        : text(a) + text(b) + (rows.negatives.empty() ? 0 : text(rows.negatives[row]));
    found.total += tokens[row];
  }
  for (std::uint64_t step = 0; step < plan.steps(); ++step) {
    std::size_t sum = 0;
    for (const std::uint32_t row : plan.batch(step)) sum += tokens[row];
    found.most = std::max(found.most, sum);
  }
  return found;
}

}  // namespace dupq_tool
