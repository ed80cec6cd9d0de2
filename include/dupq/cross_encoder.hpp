// Pairs of texts to scores: the model reads both texts at once.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "device/cpu/formulas.hpp"
#include "encoder.hpp"

namespace dupq::inline DUPQ_ABI {

/// A one-label BERT cross-encoder. Nothing is allocated after `make`; results do not depend on how pairs are batched,
/// on their order, the number of workers or the CPU.
template <device D>
class basic_cross_encoder : public encoder<basic_cross_encoder<D>, model_kind::cross_encoder, D> {
  using base = encoder<basic_cross_encoder, model_kind::cross_encoder, D>;

 public:
  /// The score of pair (a[i], b[i]) to out[i]: the logit through the model's activation. Errors: wrong_size.
  result<void> score(texts a, texts b, std::span<float> out) noexcept { return activated(logits(a, b, out), out); }
  /// The same, watched. Errors: also cancelled.
  result<void> score(texts a, texts b, std::span<float> out, const call_options& options) noexcept {
    return activated(logits(a, b, out, options), out);
  }
  /// The model's output before its activation. Errors: wrong_size.
  result<void> logits(texts a, texts b, std::span<float> out) noexcept { return logit_list(a, b, out, unwatched()); }
  /// The same, watched. Errors: also cancelled.
  result<void> logits(texts a, texts b, std::span<float> out, const call_options& options) noexcept {
    return logit_list(a, b, out, watch(options, a.size()));
  }
  /// The score of one pair.
  result<float> score(std::string_view a, std::string_view b) noexcept {
    if (const auto here = this->ready(); !here) return here.error();
    float out = 0;
    const float_environment ieee;
    unwatched nobody;
    logits_range(
        0, 1, this->alone(), nobody, [&](std::size_t) { return a; }, [&](std::size_t) { return b; }, &out);
    return ieee.pinned(activate(out));
  }

 private:
  using base::base;

  float activate(float logit) const noexcept {
    return this->model_.config().activation == score_activation::sigmoid ? formulas::sigmoid(logit) : logit;
  }

  result<void> activated(const result<void>& done, std::span<float> out) const noexcept {
    const float_environment ieee;
    if (done)
      for (float& x : out) x = activate(x);
    return done;
  }

  template <class Watch>
  result<void> logit_list(texts a, texts b, std::span<float> out, Watch&& watch) noexcept {
    if (const auto here = this->ready(); !here) return here;
    if (const auto right = check_scores(a, b, out); !right) return right;
    this->for_ranges(
        a.size(), a.size(), watch, [&](std::size_t i) { return this->likely_tokens(a[i].size() + b[i].size()); },
        [&](std::size_t begin, std::size_t end, batch<D>& one) {
          logits_range(
              begin, end, one, watch, [&](std::size_t i) { return a[i]; }, [&](std::size_t i) { return b[i]; },
              out.data());
        });
    return watch.outcome();
  }

  template <class Watch, class First, class Second>
  void logits_range(std::size_t begin, std::size_t end, batch<D>& one, Watch& watch, First&& a, Second&& b,
                    float* out) noexcept {
    const model& m = this->model_;
    this->run_packed(
        begin, end, one, watch,
        [&](std::size_t i, std::span<std::int32_t> ids) {
          return encode_pair(m, this->prompt_, a(i), b(i), ids, this->options_.special_tokens);
        },
        [&](const D& device, std::size_t first, batch<D>& full) {
          const std::size_t n = full.texts();
          const auto& buffers = full.buffers();
          m.weights().head.forward(device, buffers.first(n), buffers.headed(n), matrix<float>(out + first, n, 1),
                                   buffers.scratch);
        });
  }
};

/// The cross-encoder on the CPU.
using cross_encoder = basic_cross_encoder<cpu>;

}  // namespace dupq::inline DUPQ_ABI
