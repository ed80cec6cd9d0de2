// dupq calibrate: finds the threshold with the best F1 on labelled pairs, or those of a cascade, and stores them in the
// model file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <dupq/cascade_band.hpp>
#include <dupq/metrics.hpp>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cascade_scoring.hpp"
#include "model_output.hpp"
#include "new_keys.hpp"
#include "output_file.hpp"
#include "scoring.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// The keys of a cascade, and what to say of it.
struct calibrated_cascade {
  std::vector<new_key> keys;
  std::string text;
};

inline calibrated_cascade calibrate_cascade(cascade_judge& judge, const arguments& args, const labelled_pairs& pairs,
                                            std::span<const std::size_t> rows, std::span<const float> similarities) {
  session& cross = judge.cross();
  const auto digest = cross.model().file().find("dupq.digest");
  if (!digest || digest->type != dupq::gguf::value_type::string)
    throw failure(cross.path() +
                  ": dupq.digest: missing key, so no cascade can say which cross-encoder it is made with");
  const auto choice =
      dupq::choose_band(similarities, judge.probabilities(pairs, rows), pairs.labels, band_options(args));
  if (!choice) throw failure(args[1] + ": no thresholds can be found");
  using keys = dupq::cascade_settings;
  const std::string name = cross.path().substr(cross.path().find_last_of("/\\") + 1);
  return {.keys = {{keys::lower_key, choice->band.lower},
                   {keys::upper_key, choice->band.upper},
                   {keys::threshold_key, choice->band.threshold},
                   {keys::name_key, name},
                   {keys::digest_key, std::string(digest->text())}},
          .text = "; cascade " + shortest(choice->band.lower) + " to " + shortest(choice->band.upper) + ", F1 " +
                  fixed(choice->counts.f1(), 4) + " (the cross-encoder alone " + fixed(choice->cross_f1, 4) + "), " +
                  fixed(100 * choice->share(), 1) + "% of the pairs for the cross-encoder"};
}

inline void run_calibrate(const arguments& args) {
  const std::string to = args.needed("-o");
  if (args.has("--aim") && !args.has("--cascade")) throw usage_error("--aim needs --cascade");
  session s(args[0], args, !os::same_file(args[0], to));  // not every system replaces a file that is mapped
  std::optional<cascade_judge> judge;
  if (const auto cross = args.text("--cascade")) judge.emplace(s, *cross, args);
  row_source rows(args, args[1], row_kind::labelled);
  const labelled_pairs pairs = read_labelled(rows);
  std::vector<std::size_t> all(pairs.labels.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  std::uint64_t questions = 0;
  const std::vector<float> scores = score_rows(s, pairs, all, questions);
  const auto best = dupq::best_f1(scores, pairs.labels);
  if (!best) throw failure(args[1] + ": no pair is labelled 1, so there is no threshold to find");

  const auto threshold = static_cast<float>(best->threshold);  // exact: best_f1 chooses a float
  std::vector<new_key> keys{{"dupq.threshold", threshold}};
  std::string also;
  if (judge) {
    auto cascade = calibrate_cascade(*judge, args, pairs, all, scores);
    keys.insert(keys.end(), cascade.keys.begin(), cascade.keys.end());
    also = std::move(cascade.text);
  }
  const dupq::gguf::file& file = s.model().file();
  const std::string header = header_with(file, keys);
  model_output out(to);
  out.write(std::as_bytes(std::span(header)));
  out.write(file.bytes().subspan(file.data_offset()));
  out.commit();
  rows.report(s.truncated(), s.tokens(), s.cross() ? "pair" : "text");
  if (judge) judge->report();
  if (to == "-") return;
  output_file line("-");
  line.write(to + ": threshold " + shortest(threshold) + ", F1 " + fixed(best->f1, 4) + " on " +
             counted(pairs.labels.size(), "pair") + also + '\n');
  line.commit();
}

inline verb calibrate_verb() {
  return {
      .name = "calibrate",
      .summary = "stores the best threshold for labelled pairs in a model file",
      .usage = "M.gguf FILE -o OUT.gguf [--cascade CROSS.gguf]",
      .help =
          "Scores the labelled pairs of FILE, finds the threshold with the best F1, and copies the model file\n"
          "with that threshold. OUT.gguf may be M.gguf itself. A label is 0 or 1, true or false, yes or no.\n"
          "  --cascade CROSS.gguf  M.gguf is a bi-encoder: finds two more thresholds, between which it is unsure and\n"
          "                  this cross-encoder decides (`score --cascade`), and stores them as well\n"
          "  --aim A         how good that must be, with as few pairs for the cross-encoder as can be: an F1 at\n"
          "                  most 0.002 below its own (cross, the default), or below the best that any thresholds\n"
          "                  reach (best: the two models together may be better than either)\n",
      .options = {{"-o", true}, {"--cascade", true}, {"--aim", true}},
      .runs_model = true,
      .reads_texts = true,
      .least = 2,
      .most = 2,
      .run = run_calibrate};
}

}  // namespace dupq_tool
