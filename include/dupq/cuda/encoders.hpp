// Bi-encoders and cross-encoders over an engine, with the CPU encoders' interface.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "../core/call_options.hpp"
#include "../core/encode_forms.hpp"
#include "../core/texts.hpp"
#include "../device/cpu/formulas.hpp"
#include "../search/similarity.hpp"
#include "engine.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// The base of `Encoder`, which is for models of a kind: as on the CPU, over an engine.
template <class Encoder, model_kind Kind, class Runtime>
class encoder {
 public:
  static result<Encoder> make(const model& m, const encoder_options& options, Runtime&& runtime) noexcept {
    auto made = engine<Runtime>::make(m, options, Kind, std::move(runtime));
    if (!made) return made.error();
    return Encoder(std::move(*made));
  }

  std::uint64_t truncated() const noexcept { return engine_.truncated(); }
  const limits& sizes() const noexcept { return engine_.sizes(); }
  std::size_t dim() const noexcept { return engine_.model().dim(); }

  /// The score of one pair. Errors: gpu_failed.
  result<float> score(std::string_view a, std::string_view b) noexcept {
    const std::string_view first[] = {a}, second[] = {b};
    float out[1] = {};
    if (const auto done = static_cast<Encoder&>(*this).score(first, second, out); !done) return done.error();
    return out[0];
  }

 protected:
  explicit encoder(engine<Runtime>&& e) noexcept : engine_(std::move(e)) {}

  engine<Runtime> engine_;
};

template <class Runtime>
class bi_encoder : public encoder<bi_encoder<Runtime>, model_kind::bi_encoder, Runtime>,
                   public encode_forms<bi_encoder<Runtime>> {
  using base = encoder<bi_encoder, model_kind::bi_encoder, Runtime>;
  using base::engine_;

 public:
  using base::score;
  using encode_forms<bi_encoder>::encode;

  /// Writes the vector of list[i] to out[i * dim() ...]. Errors: wrong_size, gpu_failed, cancelled.
  result<void> encode(texts list, std::span<float> out, const call_options& options = {}) noexcept {
    const std::size_t dim = engine_.model().dim(), whole = engine_.outputs();
    if (const auto right = check_vectors(list, dim, out); !right) return right;
    return run(
        list.size(), watch(options, list.size()), [&](std::size_t i) { return list[i]; },
        [&](std::size_t first, std::size_t count, const float* vectors) {
          for (std::size_t i = 0; i < count; ++i) std::copy_n(vectors + i * whole, dim, out.data() + (first + i) * dim);
        });
  }
  /// The similarity of a[i] and b[i], a cosine but where the model says otherwise, to out[i]. Errors: wrong_size,
  /// gpu_failed, cancelled.
  result<void> score(texts a, texts b, std::span<float> out, const call_options& options = {}) noexcept {
    if (const auto right = check_scores(a, b, out); !right) return right;
    const std::size_t dim = engine_.model().dim(), whole = engine_.outputs();
    // Items 2 i and 2 i + 1 are the texts of pair i; a pair may lie in two batches.
    watch pairs(options, a.size());
    return run(
        2 * a.size(), watch_of_texts(pairs), [&](std::size_t i) { return i % 2 == 0 ? a[i / 2] : b[i / 2]; },
        [&](std::size_t first, std::size_t count, const float* vectors) {
          const float_environment ieee;
          for (std::size_t i = 0; i < count; ++i) {
            const float* const vector = vectors + i * whole;
            if ((first + i) % 2 == 0) {
              std::copy_n(vector, dim, engine_.kept());
              continue;
            }
            out[(first + i) / 2] = similarity_of(engine_.model().config().similarity, {engine_.kept(), dim},
                                                 {vector, dim}, &engine_.model().kernel_table());
            pairs.done(1);
          }
        });
  }

 private:
  using base::base;

  template <class Watch, class At, class Retire>
  result<void> run(std::size_t n, Watch&& watched, At&& at, Retire&& retire) noexcept {
    return engine_.run(
        n, watched,
        [&](std::size_t i, std::span<std::int32_t> ids) {
          return encode_text(engine_.model(), engine_.prompt(), at(i), ids, engine_.options().special_tokens);
        },
        retire);
  }
};

template <class Runtime>
class cross_encoder : public encoder<cross_encoder<Runtime>, model_kind::cross_encoder, Runtime> {
  using base = encoder<cross_encoder, model_kind::cross_encoder, Runtime>;
  using base::engine_;

 public:
  using base::score;

  /// The score of pair (a[i], b[i]) to out[i]: the logit through the model's activation. Errors: wrong_size,
  /// gpu_failed, cancelled.
  result<void> score(texts a, texts b, std::span<float> out, const call_options& options = {}) noexcept {
    return list(a, b, out, options, engine_.model().config().activation == score_activation::sigmoid);
  }
  /// The model's output before its activation. Errors: wrong_size, gpu_failed, cancelled.
  result<void> logits(texts a, texts b, std::span<float> out, const call_options& options = {}) noexcept {
    return list(a, b, out, options, false);
  }

 private:
  using base::base;

  result<void> list(texts a, texts b, std::span<float> out, const call_options& options, bool sigmoid) noexcept {
    if (const auto right = check_scores(a, b, out); !right) return right;
    return engine_.run(
        a.size(), watch(options, a.size()),
        [&](std::size_t i, std::span<std::int32_t> ids) {
          return encode_pair(engine_.model(), engine_.prompt(), a[i], b[i], ids, engine_.options().special_tokens);
        },
        [&](std::size_t first, std::size_t count, const float* logits) {
          for (std::size_t i = 0; i < count; ++i) out[first + i] = sigmoid ? formulas::sigmoid(logits[i]) : logits[i];
        });
  }
};

}  // namespace dupq::inline DUPQ_ABI::gpu
