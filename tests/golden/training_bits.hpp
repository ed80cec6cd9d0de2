// A small training of a golden model, and the bits that come of it on every CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <dupq/training.hpp>
#include <span>
#include <string>
#include <vector>

#include "hashes.hpp"

namespace golden {

/// A model of this folder, converted in float32, and the hash of `trained_bits` after three steps on texts.txt.
struct known_training {
  const char* model;
  std::uint64_t hash;
};
inline constexpr known_training known_trainings[] = {
    {"bert", 0x577cd6e7e70056e9u}, {"mpnet", 0xc5047b2b0099cd61u}, {"cross", 0x27e7a1b69cb58ae2u}};

/// The hash of losses, weights and moments after three steps with dropout, of another loss for each kind of model. The
/// last batch is smaller, and its texts are as long as the model reads.
inline dupq::result<std::uint64_t> trained_bits(const dupq::model& m, const dupq::kernels& table,
                                                const std::vector<std::string>& texts,
                                                const dupq::executor& executor = {}) {
  constexpr std::size_t pairs = 5, steps = 3;
  dupq::trainer_options o;
  o.optimizer.learning_rate = 1e-3;
  o.warmup = 1, o.steps = 5, o.texts = 3 * pairs;
  o.kernels = &table, o.executor = executor;
  auto t = dupq::trainer::make(m, o);
  if (!t) return t.error();
  hash all;
  for (std::size_t n = 0; n < steps; ++n) {
    std::vector<std::string> a, b, c;
    std::vector<float> labels;
    for (std::size_t i = n * pairs; i < (n + 1) * pairs - n; ++i) {
      const auto text = [&](std::size_t stride) { return texts[i * stride % texts.size()]; };
      a.push_back(text(7)), b.push_back(text(i % 3 == 0 ? 7 : 5)), c.push_back(text(3));
      labels.push_back(i % 3 == 0 ? 1.0f : 0.0f);
      for (std::string* last : {&a.back(), &b.back()})
        for (std::size_t words = 0; n + 1 == steps && words < m.config().max_length; ++words) *last += " how";
    }
    const auto step = [&] {
      if (m.config().kind == dupq::model_kind::cross_encoder) return t->step(a, b, labels, dupq::cross_loss{});
      if (m.config().architecture == dupq::architecture::mpnet) return t->step(a, b, c, {}, dupq::mnr_loss{});
      return t->step(a, b, {}, labels, dupq::online_contrastive_loss{});
    };
    const auto done = step();
    if (!done) return done.error();
    all.add(static_cast<float>(done->loss));
  }
  for (std::size_t i = 0; i < t->tensor_count(); ++i) {
    const dupq::tensor_view v = t->tensor(i);
    for (const auto& list : {v.values, v.first_moments, v.second_moments})
      for (const float x : list) all.add(x);
  }
  return all.value();
}

}  // namespace golden
