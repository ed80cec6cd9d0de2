// What the model that a trainer has at this moment is worth on labelled pairs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <dupq/bi_encoder.hpp>
#include <dupq/core/executor.hpp>
#include <dupq/cross_encoder.hpp>
#include <dupq/metrics.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "model_output.hpp"
#include "scoring.hpp"
#include "text_encoder.hpp"
#include "text_trainer.hpp"
#include "trained_file.hpp"

namespace dupq_tool {

/// The trainer's weights, which are referred to.
inline void add_weights(named_weights& to, text_trainer& trainer) {
  for (std::size_t i = 0; i < trainer.tensor_count(); ++i) {
    const dupq::tensor_view t = trainer.tensor(i);
    to.add(t.name, t.rows, t.columns, t.values);
  }
}

/// An encoder over a model in memory, which encodes as a session does.
class memory_session {
 public:
  memory_session(const dupq::model& model, dupq::executor executor) : model_(model) {
    encoder_ = take(make_encoder<dupq::bi_encoder, dupq::cross_encoder>(model, options(model.config(), executor)));
  }

  static dupq::encoder_options options(const dupq::config& c, dupq::executor executor) {
    return {.limits = {.text_tokens = c.max_length}, .executor = executor};
  }
  const dupq::model& model() const noexcept { return model_; }
  bool cross() const noexcept { return model_.config().kind == dupq::model_kind::cross_encoder; }
  std::size_t dim() const noexcept { return model_.config().dim(); }
  std::size_t chunk_texts() const noexcept { return 1024; }
  void encode(dupq::texts list, std::span<float> vectors) { check(encoder_->encode(list, vectors)); }
  void score(dupq::texts first, dupq::texts second, std::span<float> scores) {
    check(encoder_->score(first, second, scores));
  }

 private:
  const dupq::model& model_;
  std::unique_ptr<text_encoder> encoder_;
};

/// Scores of the rows, as the trained model's file would give them.
inline std::vector<float> score_trained(const dupq::model& base, text_trainer& trainer, dupq::executor executor,
                                        const labelled_pairs& pairs, std::span<const std::size_t> rows) {
  named_weights weights("the trained model");
  add_weights(weights, trainer);
  const std::vector<std::byte> image = trained_file(base, weights).image();
  const model_in_memory model(image, "the trained model", base.kernels());
  memory_session session(*model, executor);
  std::uint64_t questions = 0;
  return score_rows(session, pairs, rows, questions);
}

}  // namespace dupq_tool
