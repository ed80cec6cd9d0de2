// Texts on their way into an index: read, encoded and added, some ten thousand at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/index.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "progress.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// Fails where an index was made with another model than the one that is given.
template <class Index>
void check_model(const Index& index, const std::string& folder, const session& s) {
  if (index.check_model(s.model(), s.path())) return;
  const auto short_digest = [](std::string_view digest) { return std::string(digest.substr(0, 12)); };
  throw failure(folder + ": made with the model " + std::string(index.model().name) + " (digest " +
                short_digest(index.model().digest) + "...), not with " + s.path() + " (digest " +
                short_digest(dupq::index_digest(s.model())) + "...)");
}

/// The model of an index: the user's, or the one that it was made with, whose path it has.
template <class Index>
std::string model_of(const Index& index, const std::string& folder, const arguments& args) {
  if (const auto given = args.text("--model")) return *given;
  const std::string path(index.model().name);
  if (!os::look_at(path).there)
    throw failure(folder + ": its model is gone: " + path + ": no such file; --model says where it is now");
  return path;
}

class index_input {
 public:
  index_input(session& s, row_source& rows, dupq::index_writer& to)
      : session_(s), rows_(rows), with_ids_(rows.reader().has_ids()), to_(to) {}

  /// Adds all rows of the file. Nothing is committed.
  void run() {
    progress shown("texts");
    std::uint64_t done = 0;
    for (bool more = true; more;) {
      more = read();
      vectors_.resize(texts_.size() * session_.dim());
      for (std::size_t at = 0; at < texts_.size(); at += session_.chunk_texts()) {
        const auto chunk = std::span(texts_).subspan(at, std::min(session_.chunk_texts(), texts_.size() - at));
        session_.encode(chunk, std::span(vectors_).subspan(at * session_.dim(), chunk.size() * session_.dim()));
        shown.update(done += chunk.size(), rows_.fraction());
      }
      const dupq::pack_options options{.kernels = &session_.model().kernel_table(), .executor = session_.executor()};
      if (const auto added = to_.add(texts_, vectors_, ids_, options); !added) refuse(added.error());
    }
  }

 private:
  static constexpr std::size_t most_texts = std::size_t{1} << 16, most_bytes = std::size_t{64} << 20;

  /// Reads the texts of one segment; false at the end.
  bool read() {
    texts_.clear(), ids_.clear(), lines_.clear(), bytes_.clear();
    for (text_row row; texts_.size() < most_texts && bytes_.bytes() < most_bytes;) {
      if (!rows_.next(row)) return false;
      texts_.push_back(bytes_.keep(row.texts[0]));
      lines_.push_back(row.line);
      if (with_ids_) ids_.push_back(bytes_.keep(row.id));
    }
    return true;
  }

  /// Says in which line an id is that cannot be.
  [[noreturn]] void refuse(const dupq::error& e) const {
    const bool twice = e.code == dupq::errc::exists_already, bad = e.code == dupq::errc::bad_key;
    if (!twice && !bad) throw failure(e);
    for (std::size_t i = ids_.size(); i-- != 0;) {
      const dupq::error same(e.code, bad && ids_[i].empty() ? "an empty id" : ids_[i]);
      if (std::string_view(same.subject) != e.subject) continue;
      throw bad_row(rows_.input(), lines_[i],
                    twice             ? "the id " + printable(ids_[i]) + " is there already"
                    : ids_[i].empty() ? std::string("the id is empty")
                                      : "the id " + printable(ids_[i]) + " holds a control character");
    }
    throw failure(rows_.name() + ": the id " + printable(e.subject) + " is there already (--id names a column of ids)");
  }

  session& session_;
  row_source& rows_;
  bool with_ids_;
  dupq::index_writer& to_;
  text_store bytes_;
  std::vector<std::string_view> texts_, ids_;
  std::vector<std::uint64_t> lines_;
  std::vector<float> vectors_;
};

}  // namespace dupq_tool
