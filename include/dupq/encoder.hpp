// What bi-encoders and cross-encoders have in common: a model, a device, a workspace and the loop over batches.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "core/call_options.hpp"
#include "core/error.hpp"
#include "core/executor.hpp"
#include "core/platform.hpp"
#include "core/texts.hpp"
#include "core/work_ranges.hpp"
#include "model.hpp"
#include "workspace.hpp"

namespace dupq::inline DUPQ_ABI {

/// The limits that an encoder of a model gets: what options leave open is filled in. Errors: wrong_kind where the model
/// is of another kind, bad_limit where a limit is impossible.
inline result<limits> limits_for(const model& m, const encoder_options& options, model_kind kind) noexcept {
  if (m.empty()) return error(errc::moved_from, "model");
  const config& c = m.config();
  if (c.kind != kind) return error(errc::wrong_kind, name(c.kind)).in(m.path());
  limits l = resolve(options.limits, c);
  l.workers = std::max(l.workers, options.executor.count());
  const std::size_t least = m.tokenizer().special_count(kind == model_kind::cross_encoder) + 1;
  struct range {
    std::string_view limit;
    std::size_t value, least, most;
  };
  for (const range& r : {range{"limits.text_tokens", l.text_tokens, least, c.max_length},
                         range{"limits.packed_tokens", l.packed_tokens, l.text_tokens, limits::most_tokens},
                         range{"limits.texts", l.texts, 2, limits::most_tokens},
                         range{"limits.workers", l.workers, 1, limits::most_workers}})
    if (r.value < r.least || r.value > r.most)
      return error(errc::bad_limit, r.limit, r.value < r.least ? r.least : r.most, r.value);
  return l;
}

/// The prompt of an encoder with these limits. Errors: missing_key where the model has none of that name,
/// unsupported where it was loaded without them.
inline result<prompt_use> prompt_for(const model& m, const encoder_options& options, const limits& l) noexcept {
  if (m.settings() != nullptr) return m.settings()->prompt(m.file(), m.config(), m.tokenizer(), options, l.text_tokens);
  if (options.prompt) return error(errc::unsupported, "prompt");  // see model_options::settings
  return prompt_use();
}

/// The ids of a text, or of a pair, with the prompt before them.
inline tokenizer::encoding encode_text(const model& m, const prompt_use& prompt, std::string_view text,
                                       std::span<std::int32_t> ids, special_tokens mode) noexcept {
  if (prompt.text.empty()) return m.tokenizer().encode(text, ids.size(), ids, mode);
  return m.settings()->encode(m.tokenizer(), {prompt.text, text}, ids, mode);
}
inline tokenizer::encoding encode_pair(const model& m, const prompt_use& prompt, std::string_view a, std::string_view b,
                                       std::span<std::int32_t> ids, special_tokens mode) noexcept {
  if (prompt.text.empty()) return m.tokenizer().encode_pair(a, b, ids.size(), ids, mode);
  return m.settings()->encode_pair(m.tokenizer(), {prompt.text, a}, b, ids, mode);
}

/// Whether the caller's lists are of the right sizes. Errors: wrong_size.
inline result<void> check_vectors(texts list, std::size_t dim, std::span<const float> vectors) noexcept {
  if (dim == 0) return error(errc::moved_from, "encoder");
  if (vectors.size() / dim == list.size() && vectors.size() % dim == 0) return {};
  return error(errc::wrong_size, "vectors", std::uint64_t{list.size()} * dim, vectors.size());
}
inline result<void> check_scores(texts a, texts b, std::span<const float> scores) noexcept {
  if (b.size() != a.size()) return error(errc::wrong_size, "second texts", a.size(), b.size());
  if (scores.size() != a.size()) return error(errc::wrong_size, "scores", a.size(), scores.size());
  return {};
}

/// The base of `Encoder`, which is for models of a kind. It refers to its model, which must outlive it but may be
/// moved; one thread uses it at a time. An encoder that has been moved from refuses every call: moved_from.
template <class Encoder, model_kind Kind, device D>
class encoder {
 public:
  /// With a workspace from the heap. Errors: wrong_kind, bad_limit, out_of_memory.
  static result<Encoder> make(const model& m, const encoder_options& options = {}) noexcept {
    return make_in(m, options, [&](const limits& l) { return workspace<D>::allocate(m.config(), l); });
  }
  /// Over the caller's workspace_bytes(config, limits) bytes, aligned to `alignment`. Errors: wrong_kind, bad_limit,
  /// too_small, not_aligned.
  static result<Encoder> make(const model& m, const encoder_options& options, std::span<std::byte> bytes) noexcept {
    return make_in(m, options, [&](const limits& l) { return workspace<D>::over(m.config(), l, bytes); });
  }
  static result<Encoder> make(model&&, const encoder_options& = {}) = delete;
  static result<Encoder> make(model&&, const encoder_options&, std::span<std::byte>) = delete;

  /// Texts or pairs that were longer than limits.text_tokens and have been cut, since the encoder was made.
  std::uint64_t truncated() const noexcept {
    std::uint64_t n = 0;
    for (std::size_t w = 0; w < workspace_.size(); ++w) n += workspace_[w].truncated;
    return n;
  }
  const limits& sizes() const noexcept { return limits_; }
  /// Floats of a bi-encoder's vector.
  std::size_t dim() const noexcept { return model_.dim(); }

 protected:
  encoder(const model& m, const encoder_options& options, const limits& l, const prompt_use& prompt,
          workspace<D>&& memory) noexcept
      : model_(m.view()), options_(options), limits_(l), prompt_(prompt), workspace_(std::move(memory)) {}

  /// Errors: moved_from.
  result<void> ready() const noexcept {
    if (model_.empty()) return error(errc::moved_from, "encoder");
    return {};
  }

  /// The device of one worker. `alone`: no other worker has anything to do, so all of them share this one's products.
  /// Otherwise only workers that have become idle help, and only where the executor can say that they are
  /// (executor::idle).
  D make_device(bool alone) const noexcept {
    if constexpr (std::is_constructible_v<D, const kernels&, const executor&>) {
      executor shared = options_.executor;
      if (alone)
        shared.idle = nullptr;
      else if (shared.idle == nullptr)
        shared = {};
      return D(model_.kernel_table(), shared);
    } else {
      return D();
    }
  }

  /// The first worker's batch, for one text or pair: all of the executor's workers share its products.
  batch<D>& alone() noexcept {
    workspace_[0].alone = true;
    return workspace_[0];
  }

  /// About how many tokens `bytes` of text have: it says how much work a text is.
  std::size_t likely_tokens(std::size_t bytes) const noexcept {
    return std::min((bytes + prompt_.text.size()) / 4 + 2, limits_.text_tokens);
  }

  /// Cuts 0..n-1 into ranges of at most `most` items for the executor's workers, each of which takes the next range
  /// when it is done with one, and calls task(begin, end, batch) for each. tokens(i) is about what item i will have.
  template <class Watch, class Tokens, class Task>
  void for_ranges(std::size_t n, std::size_t most, Watch& watch, Tokens&& tokens, Task&& task) noexcept {
    constexpr std::size_t least = 48;  // tokens: all weights are read for a batch, so a smaller one is slow
    const std::size_t workers = options_.executor.count();
    work_ranges ranges(n, workers, least, most, [&](std::size_t i) { return tokens(i); });
    options_.executor.run(std::min(n, workers), [&](std::size_t, std::size_t worker) {
      const float_environment ieee;
      workspace_[worker].alone = n == 1;
      for (auto r = ranges.next(); r.begin != r.end && watch.go_on(); r = ranges.next())
        task(r.begin, r.end, workspace_[worker]);
    });
  }

  /// Packs items begin..end-1, which tokenize(i, ids) writes, and calls finish(first, batch) for each full batch.
  /// Ends early where the watch says so.
  template <class Watch, class Tokenize, class Finish>
  void run_packed(std::size_t begin, std::size_t end, batch<D>& b, Watch& watch, Tokenize&& tokenize,
                  Finish&& finish) noexcept {
    const D device = make_device(b.alone);
    std::size_t first = begin;
    const auto flush = [&](std::size_t kept) {
      run_layers(device, model_.weights(), model_.config(), b.view(), b.buffers());
      finish(device, first, b);
      watch.done(b.texts());
      first += b.texts();
      b.clear(kept);
    };
    for (std::size_t i = begin; i < end; ++i) {
      const tokenizer::encoding e = tokenize(i, b.next());
      if (e.truncated) ++b.truncated, watch.cut(i);
      if (!b.fits(e.tokens)) flush(e.tokens);
      if (!watch.go_on()) break;
      b.add(e.tokens, e.first_segment, model_.config(), model_.tokenizer().options().pad);
    }
    if (b.texts() != 0 && watch.go_on()) flush(0);
    b.clear(0);
  }

  model model_;
  encoder_options options_;
  limits limits_;
  prompt_use prompt_;
  mutable workspace<D> workspace_;

 private:
  template <class Take>
  static result<Encoder> make_in(const model& m, const encoder_options& options, Take&& take_memory) noexcept {
    if constexpr (!std::is_constructible_v<D, const kernels&, const executor&>)  // the model's table has it, see read
      if (m.config().hidden_activation != hidden_activation::gelu)
        return error(errc::unsupported, "this activation on this device").in(m.path());
    if (m.weights().in_halves) return error(errc::unsupported, "model_options::halves on a CPU");
    const auto l = limits_for(m, options, Kind);
    if (!l) return l.error();
    const auto prompt = prompt_for(m, options, *l);
    if (!prompt) return prompt.error();
    auto memory = take_memory(*l);
    if (!memory) return memory.error();
    return Encoder(m, options, *l, *prompt, std::move(*memory));
  }
};

}  // namespace dupq::inline DUPQ_ABI
