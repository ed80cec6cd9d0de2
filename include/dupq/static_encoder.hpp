// The bi-encoder of static models (model2vec, StaticEmbedding): the vector of a text is the mean of its tokens' rows.
// The same calls as bi_encoder's, hundreds of times as fast, and a workspace of some kilobytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "core/arena.hpp"
#include "core/call_options.hpp"
#include "core/encode_forms.hpp"
#include "core/error.hpp"
#include "core/os.hpp"
#include "core/prefix.hpp"
#include "core/texts.hpp"
#include "core/work_ranges.hpp"
#include "device/cpu/sum_rows.hpp"
#include "encoder.hpp"
#include "model.hpp"
#include "model/static_table.hpp"
#include "search/similarity.hpp"

namespace dupq::inline DUPQ_ABI {

/// A text as a static model reads it: without special tokens, and without the unknown one where the model says so.
struct static_tokens {
  std::span<const std::int32_t> ids;
  bool truncated = false;

  /// `room` is as long as limits.text_tokens says.
  static static_tokens read(const model& m, const static_table& table, const prompt_use& prompt, std::string_view text,
                            std::span<std::int32_t> room, special_tokens mode) noexcept {
    const std::string_view seen = first_chars(text, table.max_chars);
    const tokenizer::encoding e = encode_text(m, prompt, seen, room, mode);
    if (e.tokens < 2) return {{}, true};
    std::int32_t* const first = room.data() + 1;  // behind the special token, and before the one at the end
    std::int32_t* last = first + e.tokens - 2;
    if (table.drop_unknown) last = std::remove(first, last, m.tokenizer().options().unk);
    return {{first, last}, e.truncated || seen.size() != text.size()};
  }

 private:
  static std::string_view first_chars(std::string_view text, std::size_t most) noexcept {
    if (most == 0 || text.size() <= most) return text;
    std::size_t chars = 0;
    for (std::size_t i = 0; i < text.size(); ++i)
      if ((static_cast<unsigned char>(text[i]) & 0xC0u) != 0x80u && chars++ == most) return first_of(text, i);
    return text;
  }
};

/// Nothing is allocated after `make`; results do not depend on the texts' order, the number of workers or the CPU.
class static_encoder : public encode_forms<static_encoder> {
 public:
  using encode_forms<static_encoder>::encode;

  /// Takes its workspace from the heap. Errors: wrong_kind for another kind of model, bad_limit, out_of_memory.
  static result<static_encoder> make(const model& m, const encoder_options& options = {}) noexcept {
    auto e = prepare(m, options);
    if (!e) return e;
    const std::size_t needed = workspace_bytes(m.config(), e->limits_);
    if (needed == arena::impossible) return error(errc::bad_limit, "limits");
    void* const memory = os::allocate(needed);
    if (memory == nullptr) return error(errc::out_of_memory, "workspace", needed);
    e->owned_ = memory;
    e->release_ = os::release;
    e->lay_out({static_cast<std::byte*>(memory), needed});
    return e;
  }
  /// Over the caller's workspace_bytes(config, limits) bytes, aligned to `alignment`. Errors: also too_small,
  /// not_aligned.
  static result<static_encoder> make(const model& m, const encoder_options& options,
                                     std::span<std::byte> bytes) noexcept {
    auto e = prepare(m, options);
    if (!e) return e;
    const auto misaligned = reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment;
    if (misaligned != 0) return error(errc::not_aligned, "workspace", alignment, misaligned);
    const std::size_t needed = workspace_bytes(m.config(), e->limits_);
    if (bytes.size() < needed) return error(errc::too_small, "workspace", needed, bytes.size());
    e->lay_out(bytes);
    return e;
  }
  static result<static_encoder> make(model&&, const encoder_options& = {}) = delete;
  static result<static_encoder> make(model&&, const encoder_options&, std::span<std::byte>) = delete;

  /// Bytes of workspace that an encoder takes: per worker a text's ids and three vectors.
  static constexpr std::size_t workspace_bytes(const config& c, const limits& l = {}) noexcept {
    const limits all = resolve(l, c);
    if (all.text_tokens > limits::most_tokens || all.workers > limits::most_workers) return arena::impossible;
    arena counter;
    counter.take<worker>(all.workers);
    for (std::size_t w = 0; w < all.workers; ++w) worker().take(counter, c, all);
    return counter.used();
  }

  static_encoder(static_encoder&& other) noexcept
      : model_(std::move(other.model_)),
        options_(other.options_),
        limits_(other.limits_),
        prompt_(other.prompt_),
        table_(other.table_),
        sum_(other.sum_),
        workers_(std::exchange(other.workers_, nullptr)),
        owned_(std::exchange(other.owned_, nullptr)),
        release_(other.release_) {}
  static_encoder& operator=(static_encoder&& other) noexcept {
    static_encoder moved(std::move(other));
    std::swap(model_, moved.model_);
    std::swap(options_, moved.options_);
    std::swap(limits_, moved.limits_);
    std::swap(prompt_, moved.prompt_);
    std::swap(table_, moved.table_);
    std::swap(sum_, moved.sum_);
    std::swap(workers_, moved.workers_);
    std::swap(owned_, moved.owned_);
    std::swap(release_, moved.release_);
    return *this;
  }
  ~static_encoder() {
    if (owned_ != nullptr) release_(owned_);
  }

  /// Writes the vector of list[i] to out[i * dim() ...]; `out` has list.size() * dim() floats. A text without a token
  /// has zeros. Errors: wrong_size.
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
    float out = 0;
    if (const auto done = score({a}, {b}, {&out, 1}); !done) return done.error();
    return out;
  }

  /// Texts or pairs that were cut, since the encoder was made.
  std::uint64_t truncated() const noexcept {
    std::uint64_t n = 0;
    for (std::size_t w = 0; workers_ != nullptr && w < limits_.workers; ++w) n += workers_[w].truncated;
    return n;
  }
  const limits& sizes() const noexcept { return limits_; }
  std::size_t dim() const noexcept { return model_.dim(); }

 private:
  struct worker {
    std::int32_t* ids = nullptr;  ///< [text_tokens]
    float* sum = nullptr;         ///< [hidden]
    float* pair = nullptr;        ///< [2][dim]
    std::uint64_t truncated = 0;

    constexpr void take(arena& from, const config& c, const limits& l) noexcept {
      ids = from.take<std::int32_t>(l.text_tokens);
      sum = from.take<float>(c.hidden);
      pair = from.take<float>(2 * std::uint64_t{c.dim()});
    }
  };

  static_encoder(const model& m, const encoder_options& options, const limits& l, const prompt_use& prompt,
                 const static_table& table) noexcept
      : model_(m.view()),
        options_(options),
        limits_(l),
        prompt_(prompt),
        table_(table),
        sum_(sum_rows_of(m.kernel_table())) {}

  static result<static_encoder> prepare(const model& m, const encoder_options& options) noexcept {
    const auto l = limits_for(m, options, model_kind::static_encoder);
    if (!l) return l.error();
    const auto prompt = prompt_for(m, options, *l);
    if (!prompt) return prompt.error();
    const auto table = static_table::read(m.file(), m.config(), false, false);
    if (!table) return table.error();
    return static_encoder(m, options, *l, *prompt, *table);
  }

  void lay_out(std::span<std::byte> bytes) noexcept {
    arena from(bytes);
    workers_ = from.take<worker>(limits_.workers);
    for (std::size_t w = 0; w < limits_.workers; ++w) {
      worker one;
      one.take(from, model_.config(), limits_);
      ::new (static_cast<void*>(workers_ + w)) worker(one);
    }
  }

  /// Whether the text was cut.
  bool encode_one(std::string_view text, worker& w, float* out) const noexcept {
    const config& c = model_.config();
    const auto tokens =
        static_tokens::read(model_, table_, prompt_, text, {w.ids, limits_.text_tokens}, options_.special_tokens);
    const std::size_t dim = c.dim();
    float* const y = dim == c.hidden ? out : w.sum;
    request_rows(table_.tokens, tokens.ids.data(), tokens.ids.size());
    sum_(table_.tokens, tokens.ids.data(), tokens.ids.size(), y);
    if (c.normalize)  // the mean's direction is the sum's
      cpu(model_.kernel_table()).normalize(matrix<float>(y, 1, c.hidden));
    else if (!tokens.ids.empty())
      model_.kernel_table().divide(c.hidden, static_cast<float>(tokens.ids.size()), y);
    if (y != out) std::copy_n(y, dim, out);
    return tokens.truncated;
  }

  /// Calls task(i, worker) for 0..n-1, on the executor's workers; it says whether item i was cut.
  template <class Watch, class Size, class Task>
  result<void> for_each(std::size_t n, Watch& watch, Size&& size, Task&& task) noexcept {
    constexpr std::size_t least = 1u << 14, most = 1024;  // bytes, texts: enough to make up for asking for more
    const std::size_t workers = options_.executor.count();
    work_ranges ranges(n, workers, least, most, [&](std::size_t i) { return size(i) + 16; });
    options_.executor.run(std::min(n, workers), [&](std::size_t, std::size_t number) {
      const float_environment ieee;
      for (auto r = ranges.next(); r.begin != r.end && watch.go_on(); r = ranges.next()) {
        for (std::size_t i = r.begin; i < r.end; ++i)
          if (task(i, workers_[number])) ++workers_[number].truncated, watch.cut(i);
        watch.done(r.end - r.begin);
      }
    });
    return watch.outcome();
  }

  template <class Watch>
  result<void> encode_list(texts list, std::span<float> out, Watch&& watch) noexcept {
    const std::size_t dim = model_.dim();
    if (const auto right = check_vectors(list, dim, out); !right) return right;
    return for_each(
        list.size(), watch, [&](std::size_t i) { return list[i].size(); },
        [&](std::size_t i, worker& w) { return encode_one(list[i], w, out.data() + i * dim); });
  }

  template <class Watch>
  result<void> score_lists(texts a, texts b, std::span<float> out, Watch&& watch) noexcept {
    if (model_.empty()) return error(errc::moved_from, "encoder");
    if (const auto right = check_scores(a, b, out); !right) return right;
    const std::size_t dim = model_.dim();
    return for_each(
        a.size(), watch, [&](std::size_t i) { return a[i].size() + b[i].size(); },
        [&](std::size_t i, worker& w) {
          const bool first = encode_one(a[i], w, w.pair), second = encode_one(b[i], w, w.pair + dim);
          out[i] =
              similarity_of(model_.config().similarity, {w.pair, dim}, {w.pair + dim, dim}, &model_.kernel_table());
          return first || second;
        });
  }

  model model_;
  encoder_options options_;
  limits limits_;
  prompt_use prompt_;
  static_table table_;
  sum_rows_function sum_;
  worker* workers_ = nullptr;
  void* owned_ = nullptr;
  void (*release_)(void*) noexcept = nullptr;  // a pointer, so that programs that own nothing need no heap
};

}  // namespace dupq::inline DUPQ_ABI
