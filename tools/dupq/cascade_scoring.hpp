// Labelled pairs through a cascade: similarities first, then probabilities of the pairs that need them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <dupq/cascade_band.hpp>
#include <dupq/device/cpu/formulas.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "args.hpp"
#include "scoring.hpp"
#include "session.hpp"

namespace dupq_tool {

inline dupq::band_options band_options(const arguments& args) {
  return {.aim = args.choice("--aim", {"cross", "best"}) == 1 ? dupq::band_aim::best : dupq::band_aim::cross};
}

/// A cascade's cross-encoder, beside the session of its bi-encoder.
class cascade_judge {
 public:
  cascade_judge(const session& bi, const std::string& path, const arguments& args)
      : cross_(path, args.without("--prompt")) {  // which is the bi-encoder's
    bi.need_vectors();
    cross_.need_cross();
  }

  session& cross() noexcept { return cross_; }
  /// The cross-encoder's probabilities of some rows.
  std::vector<float> probabilities(const labelled_pairs& pairs, std::span<const std::size_t> rows) {
    std::uint64_t questions = 0;
    std::vector<float> scores = score_rows(cross_, pairs, rows, questions);
    if (cross_.model().config().activation == dupq::score_activation::identity)
      for (float& x : scores) x = dupq::formulas::sigmoid(x);
    return scores;
  }

  /// Makes the similarities of some rows the scores of the cascade. Returns how many the cross-encoder saw.
  std::uint64_t finish(const labelled_pairs& pairs, std::span<const std::size_t> rows, const dupq::cascade_band& band,
                       std::span<float> similarities) {
    std::vector<std::size_t> unsure, places;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!band.unsure(similarities[i]))
        similarities[i] = band.sure_score(similarities[i]);
      else
        unsure.push_back(rows[i]), places.push_back(i);
    }
    const std::vector<float> judged = probabilities(pairs, unsure);
    for (std::size_t i = 0; i < places.size(); ++i) similarities[places[i]] = judged[i];
    return unsure.size();
  }

  /// Says on stderr how many pairs were cut.
  void report() const {
    if (const std::uint64_t n = cross_.truncated(); n != 0)
      std::fprintf(stderr, "%s: %s cut to %zu tokens\n", cross_.path().c_str(), counted(n, "pair").c_str(),
                   cross_.tokens());
  }

 private:
  session cross_;
};

}  // namespace dupq_tool
