// dupq calibrate: finds the threshold with the best F1 on labelled pairs and stores it in the model file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <dupq/core/gguf.hpp>
#include <dupq/metrics.hpp>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model_output.hpp"
#include "output_file.hpp"
#include "scoring.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// Everything of a model file before its tensor data, with another threshold. All other bytes stay as they are, so the
/// tensor data can be copied behind it.
inline std::string header_with_threshold(const dupq::gguf::file& file, float threshold) {
  constexpr std::string_view key = "dupq.threshold";
  const auto* const begin = reinterpret_cast<const char*>(file.bytes().data());
  std::string keys;
  const char* entry = begin + 24;
  std::uint64_t count = 1;
  file.for_each_key([&](std::string_view name, const dupq::gguf::value& v) {
    const char* const end = v.text().data() + v.bytes.size();
    if (name != key) keys.append(entry, end), ++count;
    entry = end;
  });
  const auto put = [](std::string& out, auto value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  put(keys, std::uint64_t{key.size()});
  keys += key;
  put(keys, static_cast<std::uint32_t>(dupq::gguf::value_type::f32));
  put(keys, threshold);

  std::size_t descriptions = 0;
  file.for_each_tensor([&](const dupq::gguf::tensor& t) {
    descriptions += 8 + t.name.size() + 4 + 8 * std::size_t{t.dimensions} + 4 + 8;  // name, extents, type, offset
  });
  std::string header(begin, 16);  // magic, version, number of tensors
  put(header, count);
  header += keys;
  header.append(begin + file.tensors_offset(), descriptions);
  header.resize(dupq::round_up(header.size(), file.data_alignment()));
  return header;
}

inline void run_calibrate(const arguments& args) {
  const std::string to = args.needed("-o");
  session s(args[0], args, !os::same_file(args[0], to));  // not every system replaces a file that is mapped
  row_source rows(args, args[1], row_kind::labelled);
  const labelled_pairs pairs = read_labelled(rows);
  std::vector<std::size_t> all(pairs.labels.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  std::uint64_t questions = 0;
  const std::vector<float> scores = score_rows(s, pairs, all, questions);
  const auto best = dupq::best_f1(scores, pairs.labels);
  if (!best) throw failure(args[1] + ": no pair is labelled 1, so there is no threshold to find");

  const auto threshold = static_cast<float>(best->threshold);  // exact: best_f1 chooses a float
  const dupq::gguf::file& file = s.model().file();
  const std::string header = header_with_threshold(file, threshold);
  model_output out(to);
  out.write(std::as_bytes(std::span(header)));
  out.write(file.bytes().subspan(file.data_offset()));
  out.commit();
  rows.report(s.truncated(), s.tokens(), s.cross() ? "pair" : "text");
  if (to == "-") return;
  output_file line("-");
  line.write(to + ": threshold " + shortest(threshold) + ", F1 " + fixed(best->f1, 4) + " on " +
             counted(pairs.labels.size(), "pair") + '\n');
  line.commit();
}

inline verb calibrate_verb() {
  return {.name = "calibrate",
          .summary = "stores the best threshold for labelled pairs in a model file",
          .usage = "M.gguf FILE -o OUT.gguf",
          .help =
              "Scores the labelled pairs of FILE, finds the threshold with the best F1, and copies the model file\n"
              "with that threshold. OUT.gguf may be M.gguf itself. A label is 0 or 1, true or false, yes or no.\n",
          .options = {{"-o", true}},
          .runs_model = true,
          .reads_texts = true,
          .least = 2,
          .most = 2,
          .run = run_calibrate};
}

}  // namespace dupq_tool
