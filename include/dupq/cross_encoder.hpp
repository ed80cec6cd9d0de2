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
  result<void> score(texts a, texts b, std::span<float> out) noexcept { return list<true>(a, b, out, unwatched()); }
  /// The same, watched. Errors: also cancelled.
  result<void> score(texts a, texts b, std::span<float> out, const call_options& options) noexcept {
    return list<true>(a, b, out, watch(options, a.size()));
  }
  /// The model's output before its activation. Errors: wrong_size.
  result<void> logits(texts a, texts b, std::span<float> out) noexcept { return list<false>(a, b, out, unwatched()); }
  /// The same, watched. Errors: also cancelled.
  result<void> logits(texts a, texts b, std::span<float> out, const call_options& options) noexcept {
    return list<false>(a, b, out, watch(options, a.size()));
  }
  /// The score of one pair.
  result<float> score(std::string_view a, std::string_view b) noexcept {
    if (const auto here = this->ready(); !here) return here.error();
    float out = 0;
    const float_environment ieee;
    unwatched nobody;
    range<true>(
        0, 1, this->alone(), nobody, [&](std::size_t) { return a; }, [&](std::size_t) { return b; }, &out);
    return ieee.pinned(out);
  }

 private:
  using base::base;

  float activate(float logit) const noexcept {
    return this->model_.config().activation == score_activation::sigmoid ? formulas::sigmoid(logit) : logit;
  }

  /// Scores or logits of a list. A number is final when it is written: after a call that was cancelled, those that are
  /// there are right.
  template <bool Scores, class Watch>
  result<void> list(texts a, texts b, std::span<float> out, Watch&& watch) noexcept {
    if (const auto here = this->ready(); !here) return here;
    if (const auto right = check_scores(a, b, out); !right) return right;
    this->for_ranges(
        a.size(), a.size(), watch, [&](std::size_t i) { return this->likely_tokens(a[i].size() + b[i].size()); },
        [&](std::size_t begin, std::size_t end, batch<D>& one) {
          range<Scores>(
              begin, end, one, watch, [&](std::size_t i) { return a[i]; }, [&](std::size_t i) { return b[i]; },
              out.data());
        });
    return watch.outcome();
  }

  template <bool Scores, class Watch, class First, class Second>
  void range(std::size_t begin, std::size_t end, batch<D>& one, Watch& watch, First&& a, Second&& b,
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
          m.weights().head.forward(device, m.config().head_activation, buffers.first(n), buffers.headed(n),
                                   matrix<float>(out + first, n, 1), buffers.scratch);
          if constexpr (Scores)
            for (float& x : std::span(out + first, n)) x = activate(x);
        });
  }
};

/// The cross-encoder on the CPU.
using cross_encoder = basic_cross_encoder<cpu>;

}  // namespace dupq::inline DUPQ_ABI
