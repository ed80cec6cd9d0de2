// Many texts to vectors, and labelled pairs to scores, with progress.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/search/similarity.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "progress.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// The vectors of many texts, one after another, with progress. `s`: a session, or what encodes as one does.
template <class Session>
std::vector<float> encode_all(Session& s, std::span<const std::string_view> texts) {
  std::vector<float> vectors(texts.size() * s.dim());
  progress shown("questions", texts.size());
  for (std::size_t at = 0; at < texts.size(); at += s.chunk_texts()) {
    const auto chunk = texts.subspan(at, std::min(s.chunk_texts(), texts.size() - at));
    s.encode(chunk, std::span(vectors).subspan(at * s.dim(), chunk.size() * s.dim()));
    shown.update(at + chunk.size());
  }
  return vectors;
}

/// Labelled pairs, by columns.
struct labelled_pairs {
  text_store bytes;
  std::vector<std::string_view> first, second;
  std::vector<std::uint8_t> labels;
};

/// All pairs of a file; at least one.
inline labelled_pairs read_labelled(row_source& rows) {
  labelled_pairs pairs;
  for (text_row row; rows.next(row);) {
    pairs.first.push_back(pairs.bytes.keep(row.texts[0]));
    pairs.second.push_back(pairs.bytes.keep(row.texts[1]));
    pairs.labels.push_back(static_cast<std::uint8_t>(row.label));
  }
  if (pairs.labels.empty())
    throw failure(rows.input().name() + ": no pairs to judge" +
                  (rows.reader().skipped() == 0 ? "" : " (" + rows.skipped() + ')'));
  return pairs;
}

/// Scores the pairs whose numbers are given; returns as many scores. A bi-encoder reads each distinct question once.
/// `questions` counts what the model read.
template <class Session>
std::vector<float> score_rows(Session& s, const labelled_pairs& pairs, std::span<const std::size_t> rows,
                              std::uint64_t& questions) {
  std::vector<float> scores(rows.size());
  if (s.cross()) {
    questions = 2 * rows.size();
    progress shown("pairs", rows.size());
    std::vector<std::string_view> first, second;
    for (std::size_t at = 0; at < rows.size(); at += s.chunk_texts()) {
      const auto chunk = rows.subspan(at, std::min(s.chunk_texts(), rows.size() - at));
      first.clear(), second.clear();
      for (std::size_t row : chunk) first.push_back(pairs.first[row]), second.push_back(pairs.second[row]);
      s.score(first, second, std::span(scores).subspan(at, chunk.size()));
      shown.update(at + chunk.size());
    }
    return scores;
  }
  std::unordered_map<std::string_view, std::size_t> numbers;
  std::vector<std::string_view> distinct;
  const auto number = [&](std::string_view text) {
    const auto [at, is_new] = numbers.try_emplace(text, distinct.size());
    if (is_new) distinct.push_back(text);
    return at->second;
  };
  std::vector<std::pair<std::size_t, std::size_t>> numbered;
  for (std::size_t row : rows) {
    const std::size_t first = number(pairs.first[row]);
    numbered.emplace_back(first, number(pairs.second[row]));
  }
  questions = distinct.size();
  const std::vector<float> vectors = encode_all(s, distinct);
  const auto vector = [&](std::size_t i) { return std::span(vectors).subspan(i * s.dim(), s.dim()); };
  for (std::size_t i = 0; i < rows.size(); ++i)
    scores[i] =
        dupq::similarity_of(s.model().config().similarity, vector(numbered[i].first), vector(numbered[i].second));
  return scores;
}

}  // namespace dupq_tool
