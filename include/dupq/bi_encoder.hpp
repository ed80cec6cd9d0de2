// Texts to vectors, and the similarity of two texts as that of their vectors.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "core/encode_forms.hpp"
#include "encoder.hpp"
#include "search/similarity.hpp"

namespace dupq::inline DUPQ_ABI {

/// A sentence-transformers bi-encoder. Nothing is allocated after `make`; results do not depend on how texts are
/// batched, on their order, the number of workers or the CPU.
template <device D>
class basic_bi_encoder : public encoder<basic_bi_encoder<D>, model_kind::bi_encoder, D>,
                         public encode_forms<basic_bi_encoder<D>> {
  using base = encoder<basic_bi_encoder, model_kind::bi_encoder, D>;

 public:
  using encode_forms<basic_bi_encoder>::encode;

  /// Writes the vector of list[i] to out[i * dim() ...]; `out` has list.size() * dim() floats. Errors: wrong_size.
  result<void> encode(texts list, std::span<float> out) noexcept { return encode_list(list, out, unwatched()); }
  /// The same, watched. Errors: also cancelled.
  result<void> encode(texts list, std::span<float> out, const call_options& options) noexcept {
    return encode_list(list, out, watch(options, list.size()));
  }

  /// The similarity of a[i] and b[i], a cosine but where the model says otherwise, to out[i]. Errors: wrong_size.
  result<void> score(texts a, texts b, std::span<float> out) noexcept { return score_lists(a, b, out, unwatched()); }
  /// The same, watched. Errors: also cancelled.
  result<void> score(texts a, texts b, std::span<float> out, const call_options& options) noexcept {
    return score_lists(a, b, out, watch(options, a.size()));
  }
  /// The similarity of two texts.
  result<float> score(std::string_view a, std::string_view b) noexcept {
    if (const auto here = this->ready(); !here) return here.error();
    float out = 0;
    const float_environment ieee;
    unwatched nobody;
    score_range(
        0, 1, this->alone(), nobody, [&](std::size_t i) { return i == 0 ? a : b; }, &out);
    return out;
  }

 private:
  using base::base;

  template <class Watch>
  result<void> encode_list(texts list, std::span<float> out, Watch&& watch) noexcept {
    const std::size_t dim = this->model_.dim();
    if (const auto right = check_vectors(list, dim, out); !right) return right;
    this->for_ranges(
        list.size(), list.size(), watch, [&](std::size_t i) { return this->likely_tokens(list[i].size()); },
        [&](std::size_t begin, std::size_t end, batch<D>& one) {
          encode_range(
              begin, end, one, watch, [&](std::size_t i) { return list[i]; }, out.data() + begin * dim);
        });
    return watch.outcome();
  }

  template <class Watch>
  result<void> score_lists(texts a, texts b, std::span<float> out, Watch&& watch) noexcept {
    if (const auto here = this->ready(); !here) return here;
    if (const auto right = check_scores(a, b, out); !right) return right;
    this->for_ranges(
        a.size(), this->limits_.texts / 2, watch,
        [&](std::size_t i) { return this->likely_tokens(a[i].size()) + this->likely_tokens(b[i].size()); },
        [&](std::size_t begin, std::size_t end, batch<D>& one) {
          score_range(
              begin, end, one, watch, [&](std::size_t i) { return i % 2 == 0 ? a[i / 2] : b[i / 2]; }, out.data());
        });
    return watch.outcome();
  }

  template <class Watch, class At>
  void encode_range(std::size_t begin, std::size_t end, batch<D>& one, Watch& watch, At&& at, float* out) noexcept {
    const model& m = this->model_;
    this->run_packed(
        begin, end, one, watch,
        [&](std::size_t i, std::span<std::int32_t> ids) {
          return encode_text(m, this->prompt_, at(i), ids, this->options_.special_tokens);
        },
        [&](const D& device, std::size_t first, batch<D>& full) {
          const auto& buffers = full.buffers();
          const token_batch view = full.view();
          const std::size_t dim = m.dim();
          const matrix<float> y(out + (first - begin) * dim, view.texts, dim);
          if (this->prompt_.pools)
            return m.settings()->pool(m.kernel_table(), m.config(), m.opened_file(), view, this->prompt_.unpooled,
                                      buffers.x, buffers.wide, y);
          const pooler last{m.config().pooling, m.config().normalize};
          last.forward(device, view, buffers.x, y);
        });
  }
  /// Items 2i and 2i + 1 are the texts of pair i.
  template <class Watch, class At>
  void score_range(std::size_t begin, std::size_t end, batch<D>& one, Watch& watch, At&& at, float* out) noexcept {
    const std::size_t dim = this->model_.dim();
    const float* const vectors = one.buffers().pooled.data;
    watch_of_texts of_texts(watch);
    encode_range(2 * begin, 2 * end, one, of_texts, at, one.buffers().pooled.data);
    if (!watch.go_on()) return;  // some vectors may be missing
    for (std::size_t i = begin; i < end; ++i) {
      const float* const a = vectors + 2 * (i - begin) * dim;
      out[i] = similarity_of(this->model_.config().similarity, {a, dim}, {a + dim, dim}, &this->model_.kernel_table());
    }
    watch.done(end - begin);
  }
};

/// The bi-encoder on the CPU.
using bi_encoder = basic_bi_encoder<cpu>;

}  // namespace dupq::inline DUPQ_ABI
