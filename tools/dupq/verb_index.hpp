// dupq index: a collection of texts on disk.
#pragma once

#include <cstdint>
#include <dupq/core/thread_pool.hpp>
#include <dupq/index.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "index_input.hpp"
#include "json.hpp"
#include "output_file.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// "questions: 7 texts"
inline void tell_size(const std::string& folder, const dupq::index_writer& index) {
  output_file out("-");
  out.write(folder + ": " + counted(index.size(), "text") + '\n');
  out.commit();
}

/// Where a file is, whatever folder somebody looks from.
inline std::string absolute_name(const std::string& path) {
  return os::name_of(std::filesystem::absolute(os::path_of(path)).lexically_normal());
}

inline void run_index_create(const arguments& args) {
  const std::string model = args.needed("--model"), &folder = args[0];
  if (args.size() == 1)
    for (const option& o : text_option_list)
      if (args.has(o.name)) throw usage_error(std::string(o.name) + " needs a FILE");
  session s(model, args);
  s.need_vectors();
  dupq::index_writer index = take(dupq::index_writer::create(folder, s.model(), absolute_name(model)));
  std::optional<row_source> rows;
  if (args.size() > 1) index_input(s, rows.emplace(args, args[1], row_kind::text), index).run();
  check(index.commit());
  if (rows) rows->report(s.truncated(), s.tokens(), "text");
  tell_size(folder, index);
}

inline void run_index_add(const arguments& args) {
  const std::string& folder = args[0];
  dupq::index_writer index = take(dupq::index_writer::open(folder));
  session s(model_of(index, folder, args), args);
  check_model(index, folder, s);
  row_source rows(args, args.size() > 1 ? args[1] : "-", row_kind::text);
  index_input(s, rows, index).run();
  check(index.commit());
  rows.report(s.truncated(), s.tokens(), "text");
  tell_size(folder, index);
}

inline void run_index_remove(const arguments& args) {
  std::vector<std::string> ids = args.all("--id");
  if (ids.empty()) throw usage_error("--id is missing");
  for (std::size_t i = 1; i < args.size(); ++i) ids.push_back(args[i]);
  dupq::index_writer index = take(dupq::index_writer::open(args[0]));
  if (const auto done = index.remove(ids); !done) {
    if (done.error().code != dupq::errc::no_such_id) throw failure(done.error());
    throw failure(args[0] + ": no text has the id " + printable(done.error().subject) + ", nothing is removed");
  }
  check(index.commit());
  tell_size(args[0], index);
}

inline void run_index_compact(const arguments& args) {
  dupq::index_writer index = take(dupq::index_writer::open(args[0]));
  dupq::thread_pool pool;
  check(index.compact({.executor = pool.executor()}));
  check(index.commit());
  tell_size(args[0], index);
}

inline void verify_digests(const dupq::index_reader& index) {
  const auto done = index.verify();
  if (!done && done.error().code == dupq::errc::missing_tensor)
    throw failure(failure(done.error()).what() + std::string(", so nothing can be verified: it is of an older dupq"));
  check(done);
}

inline void run_index_info(const arguments& args) {
  const dupq::index_reader index = take(dupq::index_reader::open(args[0]));
  if (args.has("--verify")) verify_digests(index);
  const auto count = [](std::uint64_t n) { return json::value(static_cast<std::int64_t>(n)); };
  const auto text = [](std::string_view t) { return json::value(std::string(t)); };
  const json::object o{{"texts", count(index.size())},
                       {"removed", count(index.rows() - index.size())},
                       {"segments", count(index.segment_count())},
                       {"file_bytes", count(index.file_bytes())},
                       {"dimensions", count(index.dim())},
                       {"similarity", text(name(index.model().similarity))},
                       {"model", text(index.model().name)},
                       {"digest", text(index.model().digest)},
                       {"changes", count(index.changes())}};
  output_file out("-");
  if (args.has("--json")) {
    out.write(json::print(o, 1) + '\n');
  } else {
    for (const auto& [key, value] : o)
      out.write(key + std::string(12 - key.size(), ' ') +
                (value.as<std::string>() ? *value.as<std::string>() : json::print(value)) + '\n');
    if (args.has("--verify")) out.write("digests     verified\n");
  }
  out.commit();
}

inline verb index_create_verb() {
  return {
      .name = "index create",
      .summary = "a collection of texts on disk, made of a file or empty",
      .usage = "FOLDER --model M.gguf [FILE] [--id COLUMN]",
      .help =
          "Makes an index in FOLDER, which is new or empty, with the texts of FILE (\"-\": standard input) if there\n"
          "is one. Prints how many texts it has. Equal texts are kept.\n"
          "  --model M.gguf  a bi-encoder; the index keeps its path, and takes vectors of no other model\n"
          "  --id COLUMN     column or key with the texts' ids (default: their numbers, 1, 2, ...)\n",
      .options = {{"--model", true}, {"--id", true}},
      .runs_model = true,
      .reads_texts = true,
      .most = 2,
      .run = run_index_create};
}

inline verb index_add_verb() {
  return {.name = "index add",
          .summary = "adds texts to an index",
          .usage = "FOLDER [FILE] [--id COLUMN] [--model M.gguf]",
          .help =
              "Adds all texts of FILE (default: standard input), or none where one cannot be added. Prints how many\n"
              "texts there are now. Readers see the index as it was until all are there.\n"
              "  --id COLUMN     column or key with the texts' ids (default: their numbers among all that were added)\n"
              "  --model M.gguf  where the index's model is, if it is no longer where it was\n",
          .options = {{"--model", true}, {"--id", true}},
          .runs_model = true,
          .reads_texts = true,
          .most = 2,
          .run = run_index_add};
}

inline verb index_remove_verb() {
  return {.name = "index remove",
          .summary = "removes texts from an index by their ids",
          .usage = "FOLDER --id ID...",
          .help =
              "Removes all of these texts, or none where an id is not there. Prints how many texts there are now.\n"
              "  --id ID...  the ids\n",
          .options = {{"--id", true, true}},
          .most = SIZE_MAX,
          .run = run_index_remove};
}

inline verb index_compact_verb() {
  return {.name = "index compact",
          .summary = "makes one segment of an index, without what is removed",
          .usage = "FOLDER",
          .help =
              "Prints how many texts there are. Searches of many small segments are slower, and removed texts\n"
              "take room until then.\n",
          .options = {},
          .run = run_index_compact};
}

inline verb index_info_verb() {
  return {.name = "index info",
          .summary = "what an index holds, and which model made it",
          .usage = "FOLDER [--json] [--verify]",
          .help =
              "  --json    one JSON object\n"
              "  --verify  read all of it and check the digests of its files (a mismatch: exit 1)\n",
          .options = {{"--json", false}, {"--verify", false}},
          .run = run_index_info};
}

}  // namespace dupq_tool
