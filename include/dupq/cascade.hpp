// Pairs to scores by two models in turn: a bi-encoder reads every pair, a cross-encoder those that it leaves in doubt.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "bi_encoder.hpp"
#include "cascade_band.hpp"
#include "core/call_options.hpp"
#include "core/error.hpp"
#include "core/texts.hpp"
#include "cross_encoder.hpp"
#include "device/cpu/formulas.hpp"
#include "model.hpp"
#include "model/cascade_settings.hpp"

namespace dupq::inline DUPQ_ABI {

/// What a cascade is made with.
struct cascade_options {
  encoder_options bi{}, cross{};       ///< each model has its own tokenizer, prompts and limits
  std::optional<cascade_band> band{};  ///< instead of what the bi-encoder's file says, for any cross-encoder
};

/// Two encoders and the band between them; a pair's score is that of cascade_band. Nothing is allocated after `make`;
/// results do not depend on how pairs are batched, on their order, the number of workers or the CPU. It refers to its
/// models, which must outlive it but may be moved; one thread uses it at a time. The cross-encoder's probability is the
/// sigmoid of its logit, whatever its activation.
template <class Bi, class Cross>
class basic_cascade {
 public:
  /// With workspaces from the heap. The bi-encoder's file must say which cross-encoder its band was chosen for, unless
  /// the options have a band. Errors: those of both encoders' `make`, and missing_key, wrong_type, not_finite,
  /// wrong_value, wrong_model.
  static result<basic_cascade> make(const model& bi, const model& cross, const cascade_options& options = {}) noexcept {
    return make_of(
        bi, cross, options, [&] { return Bi::make(bi, options.bi); },
        [&] { return Cross::make(cross, options.cross); });
  }
  /// Over the caller's workspaces, each of workspace_bytes(config, limits) bytes, aligned to `alignment`. Errors: also
  /// too_small, not_aligned.
  static result<basic_cascade> make(const model& bi, const model& cross, const cascade_options& options,
                                    std::span<std::byte> bi_bytes, std::span<std::byte> cross_bytes) noexcept {
    return make_of(
        bi, cross, options, [&] { return Bi::make(bi, options.bi, bi_bytes); },
        [&] { return Cross::make(cross, options.cross, cross_bytes); });
  }

  static result<basic_cascade> make(model&&, const model&, const cascade_options& = {}) = delete;
  static result<basic_cascade> make(const model&, model&&, const cascade_options& = {}) = delete;

  /// The score of pair (a[i], b[i]) to out[i]. Pairs in doubt are gathered until they fill the cross-encoder's batches.
  /// Errors: wrong_size.
  result<void> score(texts a, texts b, std::span<float> out) noexcept { return score(a, b, out, {}); }
  /// The same, watched: a pair is done when its score is final. Errors: also cancelled.
  result<void> score(texts a, texts b, std::span<float> out, const call_options& options) noexcept {
    if (const auto right = check_scores(a, b, out); !right) return right;
    run all{*this, a, b, out, options};
    const std::size_t n = a.size(), step = std::min(most_, 128 * std::max<std::size_t>(bi_.sizes().workers, 1));
    for (std::size_t at = 0; at < n; at += step) {
      if (const auto done = all.compare(at, std::min(n, at + step)); !done) return done;
      if (all.waiting < step && at + step < n) continue;
      if (const auto done = all.judge(); !done) return done;
    }
    return {};
  }
  /// The score of one pair.
  result<float> score(std::string_view a, std::string_view b) noexcept {
    const auto similarity = bi_.score(a, b);
    if (!similarity) return similarity.error();
    ++pairs_;
    if (!band_.unsure(*similarity)) return band_.sure_score(*similarity);
    float logit[1] = {};
    if (const auto judged = cross_.logits(texts(std::span(&a, 1)), texts(std::span(&b, 1)), logit); !judged)
      return judged.error();
    ++judged_;
    const float_environment ieee;
    return ieee.pinned(formulas::sigmoid(logit[0]));
  }

  /// From band().threshold on a score is that of a duplicate.
  const cascade_band& band() const noexcept { return band_; }
  /// Pairs that were scored since it was made, and how many of them the cross-encoder saw.
  std::uint64_t pairs() const noexcept { return pairs_; }
  std::uint64_t judged() const noexcept { return judged_; }
  /// Texts that the bi-encoder cut, and pairs that the cross-encoder cut.
  std::uint64_t truncated() const noexcept { return bi_.truncated() + cross_.truncated(); }
  const Bi& bi() const noexcept { return bi_; }
  const Cross& cross() const noexcept { return cross_; }

 private:
  static constexpr std::size_t most_ = 1024;  ///< pairs that are compared at a time, and then judged

  basic_cascade(Bi&& bi, Cross&& cross, const cascade_band& band) noexcept
      : bi_(std::move(bi)), cross_(std::move(cross)), band_(band) {}

  template <class MakeBi, class MakeCross>
  static result<basic_cascade> make_of(const model& bi, const model& cross, const cascade_options& options,
                                       MakeBi&& make_bi, MakeCross&& make_cross) noexcept {
    auto first = make_bi();
    if (!first) return first.error();
    auto second = make_cross();
    if (!second) return second.error();
    cascade_band band = options.band.value_or(cascade_band());
    if (options.band && !band.sound()) return error(errc::wrong_value, "cascade_options::band");
    if (!options.band) {
      const auto settings = cascade_settings::read(bi.file());
      if (!settings) return settings.error().in(bi.path());
      if (const auto same = settings->check(cross.file(), cross.path()); !same)
        return same.error().in(same.error().code == errc::missing_key ? cross.path() : bi.path());
      band = settings->band;
    }
    return basic_cascade(std::move(*first), std::move(*second), band);
  }

  /// One call of `score`.
  struct run {
    basic_cascade& own;
    texts a, b;
    std::span<float> out;
    const call_options& options;
    std::size_t done = 0, reported = 0, waiting = 0;
    std::array<std::size_t, 2 * most_> pair{};  ///< numbers of the pairs that wait for the cross-encoder
    std::array<bool, 2 * most_> cut{};          ///< of each, whether on_truncated has been called for it
    bool stopped = false;

    /// The bi-encoder's part for pairs begin..end-1.
    result<void> compare(std::size_t begin, std::size_t end) noexcept {
      std::array<float, most_> similarities;
      std::array<bool, most_> was_cut{};
      const auto tell = [&](std::size_t i) {
        was_cut[i] = true;
        if (options.on_truncated) options.on_truncated(begin + i);
      };
      const part first{a, nullptr, begin}, second{b, nullptr, begin};
      if (const auto scored = own.bi_.score(first.view(end - begin), second.view(end - begin),
                                            std::span(similarities).first(end - begin), {.on_truncated = tell});
          !scored)
        return scored;
      for (std::size_t i = begin; i < end; ++i) {
        if (const float s = similarities[i - begin]; !own.band_.unsure(s)) {
          out[i] = own.band_.sure_score(s);
          ++done;
        } else {
          cut[waiting] = was_cut[i - begin];
          pair[waiting++] = i;
        }
      }
      own.pairs_ += end - begin;
      return report(done);
    }

    /// The cross-encoder's part for the pairs that wait.
    result<void> judge() noexcept {
      // A call that is cancelled leaves NaN where nothing is known yet.
      std::array<float, 2 * most_> logits;
      logits.fill(std::numeric_limits<float>::quiet_NaN());
      const auto tell = [&](std::size_t i) {
        if (!cut[i] && options.on_truncated) options.on_truncated(pair[i]);
      };
      const auto progress = [&](std::size_t judged, std::size_t) { return report(done + judged).has_value(); };
      const part first{a, pair.data(), 0}, second{b, pair.data(), 0};
      const auto judged = own.cross_.logits(first.view(waiting), second.view(waiting), std::span(logits).first(waiting),
                                            {.on_progress = progress, .on_truncated = tell});
      {
        const float_environment ieee;
        for (std::size_t i = 0; i < waiting; ++i) {
          if (!judged && std::isnan(logits[i])) continue;
          out[pair[i]] = formulas::sigmoid(logits[i]);
          ++done, ++own.judged_;
        }
      }
      waiting = 0;
      return judged ? report(done) : judged;
    }

    /// Tells how many pairs are done. Errors: cancelled.
    result<void> report(std::size_t now) noexcept {
      if (stopped) return error(errc::cancelled);
      if (!options.on_progress || now == reported) return {};
      reported = now;
      if (options.on_progress(now, a.size()) || now == a.size()) return {};
      stopped = true;
      return error(errc::cancelled);
    }
  };

  /// Some of a list's texts: those of `rows`, or all from `from` on.
  struct part {
    const texts& list;
    const std::size_t* rows;
    std::size_t from;

    texts view(std::size_t n) const noexcept {
      return texts(this, n, [](const void* self, std::size_t i) {
        const part& p = *static_cast<const part*>(self);
        return p.list[p.rows == nullptr ? p.from + i : p.rows[i]];
      });
    }
  };

  Bi bi_;
  Cross cross_;
  cascade_band band_;
  std::uint64_t pairs_ = 0, judged_ = 0;
};

/// The cascade on the CPU.
using cascade = basic_cascade<bi_encoder, cross_encoder>;

}  // namespace dupq::inline DUPQ_ABI
