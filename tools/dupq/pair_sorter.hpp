// Pairs of rows in the order of their scores, however many: what has no room in memory is sorted in parts that go to a
// file, and merged from there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/search/search_options.hpp>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "scratch_file.hpp"

namespace dupq_tool {

/// Two rows and their score: a match in half the bytes.
struct scored_pair {
  std::uint32_t first, second;
  float score;

  operator dupq::match() const noexcept { return {first, second, score}; }
};

/// Best first; equal scores in the order of the rows. (No function: what sorts gets this inlined, and is twice as
/// fast.)
inline constexpr auto comes_before = [](const scored_pair& a, const scored_pair& b) noexcept {
  if (a.score != b.score) return a.score > b.score;
  return a.first != b.first ? a.first < b.first : a.second < b.second;
};

class pair_sorter {
 public:
  /// Keeps the best `most` pairs, or all if that is 0; at most `room` of them in memory, the others in a file in
  /// `folder`.
  pair_sorter(std::size_t most, std::string folder, std::size_t room = std::size_t{1} << 24)
      : most_(most), room_(std::max<std::size_t>(room, 2)), folder_(std::move(folder)) {
    if (most_ != 0 && most_ <= room_ / 2) room_ = std::min(room_, std::max<std::size_t>(2 * most_, 1 << 16));
  }

  void add(const scored_pair& p) {
    if (worst_ && comes_before(*worst_, p)) return;
    if (pairs_.size() >= room_) make_room();
    pairs_.push_back(p);
  }

  /// Calls f(pair) for the pairs, best first.
  template <class F>
  void for_each(F&& f) {
    std::uint64_t left = most_ == 0 ? ~std::uint64_t{0} : most_;
    std::sort(pairs_.begin(), pairs_.end(), comes_before);
    if (parts_.empty()) {
      for (std::size_t i = 0; i < pairs_.size() && left != 0; ++i, --left) f(pairs_[i]);
      return;
    }
    write_part();
    pairs_.resize(room_);
    const std::size_t piece = std::max<std::size_t>(room_ / parts_.size(), 1);
    if (pairs_.size() < piece * parts_.size()) pairs_.resize(piece * parts_.size());
    for (std::size_t i = 0; i < parts_.size(); ++i) parts_[i].window = pairs_.data() + i * piece;
    const auto later = [](const part* a, const part* b) { return comes_before(*b->window, *a->window); };
    std::priority_queue<part*, std::vector<part*>, decltype(later)> heads(later);
    for (part& p : parts_)
      if (step(p, piece)) heads.push(&p);
    for (; !heads.empty() && left != 0; --left) {
      part* const best = heads.top();
      heads.pop();
      f(*best->window);
      if (step(*best, piece)) heads.push(best);
    }
  }

  /// How many times memory was full.
  std::size_t parts() const noexcept { return parts_.size(); }

 private:
  /// A sorted part of the file, and the piece of it that is in memory: `window` is the next pair.
  struct part {
    std::uint64_t at, left;
    scored_pair* window = nullptr;
    std::size_t loaded = 0, used = 0;
  };

  /// Where few are wanted the others go; where all are, to the file.
  void make_room() {
    if (most_ != 0 && most_ <= room_ / 2) {
      std::nth_element(pairs_.begin(), pairs_.begin() + static_cast<std::ptrdiff_t>(most_ - 1), pairs_.end(),
                       comes_before);
      pairs_.resize(most_);
      worst_ = pairs_.back();
      return;
    }
    std::sort(pairs_.begin(), pairs_.end(), comes_before);
    write_part();
  }

  void write_part() {
    if (!file_) file_.emplace(folder_);
    if (pairs_.empty()) return;
    parts_.push_back({file_->size(), pairs_.size()});
    file_->write(pairs_.data(), pairs_.size() * sizeof(scored_pair));
    pairs_.clear();
  }

  /// Moves a part to its next pair; false at its end.
  bool step(part& p, std::size_t piece) {
    if (p.used + 1 < p.loaded) return ++p.used, ++p.window, true;
    p.window -= p.used;
    p.used = 0;
    p.loaded = static_cast<std::size_t>(std::min<std::uint64_t>(piece, p.left));
    file_->read(p.at, p.window, p.loaded * sizeof(scored_pair));
    p.at += p.loaded * sizeof(scored_pair), p.left -= p.loaded;
    return p.loaded != 0;
  }

  std::size_t most_, room_;
  std::string folder_;
  std::vector<scored_pair> pairs_;
  std::optional<scored_pair> worst_;  ///< of the best `most`; what is worse need not be kept
  std::optional<scratch_file> file_;
  std::vector<part> parts_;
};

}  // namespace dupq_tool
