// SentencePiece's Unigram model: a word to the pieces whose scores add up to the most.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include "../core/copy_bytes.hpp"
#include "../core/error.hpp"
#include "../core/model_limits.hpp"
#include "../core/platform.hpp"
#include "key_slots.hpp"
#include "piece_trie.hpp"
#include "word_builder.hpp"

namespace dupq::inline DUPQ_ABI {

/// The pieces and their scores: a view of a model file's arrays, ready without memory of its own.
class unigram {
 public:
  static constexpr char scores_key[] = "dupq.unigram.scores";
  static constexpr char longest_key[] = "dupq.unigram.longest";
  static constexpr char bytes_key[] = "dupq.unigram.byte_pieces";
  static constexpr char words_key[] = "dupq.unigram.words";
  static constexpr char breaks_key[] = "dupq.unigram.breaks";
  static constexpr std::size_t most_bytes = model_limits::piece_bytes;

  struct settings {
    std::int32_t unknown = 0;
    std::uint32_t longest = 1;  ///< bytes of the longest piece
    /// Ids of the pieces "<0x00>" to "<0xFF>" where unknown characters become these; empty where they do not.
    std::span<const std::byte> byte_pieces{};
    /// Where the file has it, a table (word_slots) of words of printable ASCII, without the blank's mark before them,
    /// whose best path is one piece, the mark included. Programs that find a word there need not look for its path.
    std::span<const std::byte> words{};
    /// Four u64, two sets of ASCII: marks that no piece has right behind a letter, and right behind a digit. Every path
    /// has a place between the two.
    std::span<const std::byte> breaks{};
  };

  unigram() noexcept = default;

  /// `scores` are doubles, one a piece. Errors: wrong_size, out_of_range, not_finite.
  static result<unigram> view(std::span<const std::byte> trie, std::span<const std::byte> scores, std::size_t count,
                              const settings& options) noexcept {
    const auto pieces = piece_trie::view(trie, count);
    if (!pieces) return pieces.error();
    if (scores.size() != count * 8) return error(errc::wrong_size, scores_key, count, scores.size() / 8);
    if (options.longest == 0 || options.longest > most_bytes)
      return error(errc::out_of_range, longest_key, most_bytes, options.longest);
    if (!options.byte_pieces.empty() && options.byte_pieces.size() != 1024)
      return error(errc::wrong_size, bytes_key, 256, options.byte_pieces.size() / 4);
    if (!options.breaks.empty() && options.breaks.size() != 32)
      return error(errc::wrong_size, breaks_key, 4, options.breaks.size() / 8);
    unigram u;
    if (!options.words.empty()) {
      if (!u.words_.take(options.words)) return error(errc::wrong_size, words_key, 0, options.words.size() / 16);
      if (!u.words_.is_sound(count)) return error(errc::bad_vocabulary, words_key);
    }
    u.trie_ = *pieces, u.scores_ = scores.data(), u.settings_ = options;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < count; ++i) {
      const double s = u.score(i);
      if (!std::isfinite(s)) return error(errc::not_finite, scores_key, 0, i);
      least = std::min(least, s);
    }
    u.unknown_score_ = least - 10.0;
    for (std::size_t i = 0; i < options.byte_pieces.size() / 4; ++i)
      if (u.byte_piece(static_cast<unsigned char>(i)) >= static_cast<std::int64_t>(count))
        return error(errc::out_of_range, bytes_key, count - 1, i);
    return u;
  }

  const piece_trie& trie() const noexcept { return trie_; }
  const word_slots& words() const noexcept { return words_; }
  /// Whether every path through a word has a place before this ASCII byte, where a letter or a digit stands before it.
  bool breaks_before(unsigned char byte, bool after_digit) const noexcept {
    if (settings_.breaks.empty() || byte >= 0x80) return false;
    const auto bits = static_cast<unsigned>(settings_.breaks[(after_digit ? 16u : 0u) + byte / 8]);
    return (bits >> byte % 8 & 1) != 0;
  }
  std::int32_t unknown() const noexcept { return settings_.unknown; }
  std::size_t longest() const noexcept { return settings_.longest; }
  double score(std::size_t id) const noexcept {
    double s;
    std::memcpy(&s, scores_ + id * 8, sizeof s);
    return s;
  }
  double unknown_score() const noexcept { return unknown_score_; }
  bool falls_back() const noexcept { return !settings_.byte_pieces.empty(); }
  /// -1 where there is none.
  std::int64_t byte_piece(unsigned char byte) const noexcept {
    std::int32_t id;
    std::memcpy(&id, settings_.byte_pieces.data() + std::size_t{byte} * 4, sizeof id);
    return id;
  }

 private:
  piece_trie trie_;
  word_slots words_;
  const std::byte* scores_ = nullptr;
  settings settings_;
  double unknown_score_ = 0;
};

/// Finds the best path through words and gives out its ids. Of equally good pieces that end at a place, the longest
/// wins; scores are added from the word's begin on, in double precision, as Hugging Face's tokenizers do.
///
/// A word may be of any length: there is room for `room` bytes of it. Where more come, it is looked ahead until all
/// paths that are still possible have the same beginning, and that is given out.
class unigram_path {
 public:
  static constexpr std::size_t room = 4 * unigram::most_bytes;

  /// Special tokens in a word are found, as pieces like any others, where `specials` says so.
  unigram_path(const unigram& pieces, bool specials, token_sink& out) noexcept
      : pieces_(pieces), specials_(specials), out_(out) {}

  /// Takes one word: words.next() gives its characters, and unigram_path::end after the last. A copy of `words` must
  /// read on independently. Stops where the sink is full.
  template <class Words>
  void add(Words& words) noexcept {
    begin_word();
    for (;;) {
      char32_t c = 0;
      while (size_ + 4 <= room && (c = words.next()) != end) size_ += unicode::encode(c, bytes_ + size_);
      if (c == end) {
        advance(size_);
        commit(size_, true);
        return;
      }
      // All starts after which a whole piece is known.
      const std::size_t known = character_before(size_ - pieces_.longest());
      advance(known);
      commit(look_ahead(words, known), false);
      if (out_.full()) return;
    }
  }

  /// A word that is known to be no longer than `room`; `score` is that of what is known to go before it.
  void add(std::string_view prefix, std::string_view word, double score = 0.0) noexcept {
    begin_word();
    nodes_[0].score = score;
    copy_bytes(bytes_, prefix.data(), prefix.size());
    copy_bytes(bytes_ + prefix.size(), word.data(), word.size());
    size_ = prefix.size() + word.size();
    advance(size_);
    commit(size_, true);
  }

  static constexpr char32_t end = 0xFFFFFFFFu;

 private:
  /// The best way to a place: the piece that ends there.
  struct node {
    double score;
    std::int32_t id;
    std::uint32_t length;  ///< bytes of the piece; 0: there is no way yet
  };

  void begin_word() noexcept {
    size_ = done_ = cleared_ = 0, unknown_open_ = false, lookups_left_ = most_lookahead;
    nodes_[0] = {0.0, -1, 0};
  }

  std::size_t character_before(std::size_t place) const noexcept {
    while ((static_cast<unsigned char>(bytes_[place]) & 0xC0u) == 0x80) --place;
    return place;
  }
  static std::size_t character_size(char lead) noexcept {
    const auto c = static_cast<unsigned char>(lead);
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
  }

  /// Calls reach(length, id, score) for each piece that begins at a character and, where none is that character alone,
  /// for the character as an unknown one. at(i) is the i-th byte from there on, of `n`.
  template <class At, class Reach>
  void pieces_from(std::size_t n, At&& at, Reach&& reach) const noexcept {
    const std::size_t own = character_size(at(0));
    bool single = false;
    piece_trie::cursor place(pieces_.trie());
    for (std::size_t i = 0; i < n && place.step(static_cast<unsigned char>(at(i)));) {
      ++i;
      const std::int32_t id = place.id();
      if (id < 0 || (!specials_ && place.special())) continue;
      reach(i, id, pieces_.score(static_cast<std::size_t>(id)));
      single = single || i == own;
    }
    if (!single) reach(std::min(own, n), pieces_.unknown(), pieces_.unknown_score());
  }

  /// Goes through all starts before `until`.
  void advance(std::size_t until) noexcept {
    for (std::size_t most = std::min(size_, until + pieces_.longest() + 4); cleared_ < most;)
      nodes_[++cleared_].length = 0;
    while (done_ < until) {
      const double here = nodes_[done_].score;
      const char* const from = bytes_ + done_;
      node* const to = nodes_ + done_;
      pieces_from(
          size_ - done_, [&](std::size_t i) { return from[i]; },
          [&](std::size_t length, std::int32_t id, double score) {
            const double sum = score + here;
            if (to[length].length == 0 || sum > to[length].score)
              to[length] = {sum, id, static_cast<std::uint32_t>(length)};
          });
      done_ += character_size(*from);
    }
  }

  /// Where, at or before `mark`, the best path of the whole word goes through: it is read on, with a copy, until every
  /// way that is left says the same place, or for so long that the best way so far has to do.
  template <class Words>
  std::size_t look_ahead(const Words& words, std::size_t mark) noexcept {
    constexpr std::size_t ring = room;  // a power of two, and more than a piece and a character
    struct ahead {
      double score;
      std::size_t origin;
      bool reached;
    };
    ahead ways[ring];
    char text[ring];
    for (ahead& a : ways) a.reached = false;
    const auto way = [&](std::size_t place) -> ahead& { return ways[place % ring]; };
    for (std::size_t i = 0; i < size_; ++i) text[i % ring] = bytes_[i];
    // Ways that have gone beyond the mark already began before it; each place's own way there is its origin.
    way(mark) = {nodes_[mark].score, mark, nodes_[mark].length != 0 || mark == 0};
    for (std::size_t place = mark + 1; place <= std::min(size_, mark + pieces_.longest()); ++place)
      if (cleared_ >= place && nodes_[place].length != 0)
        way(place) = {nodes_[place].score, place - nodes_[place].length, true};

    Words rest = words;
    std::size_t size = size_, at = mark;
    bool ended = false;
    for (std::size_t steps = 0;; ++steps) {
      while (!ended && size < at + pieces_.longest() + 4) {
        const char32_t c = rest.next();
        if (c == end) {
          ended = true;
          break;
        }
        char utf8[4];
        const std::size_t n = unicode::encode(c, utf8);
        for (std::size_t i = 0; i < n; ++i) text[(size + i) % ring] = utf8[i];
        size += n;
      }
      const ahead here = way(at);
      if (ended && at == size) return here.origin;
      if (lookups_left_ == 0 || --lookups_left_ == 0) {
        lookups_left_ = least_lookahead;
        return here.origin;
      }
      if (steps % 32 == 31) {
        bool same = true;
        for (std::size_t place = at; place <= std::min(size, at + pieces_.longest() + 3); ++place)
          same = same && (!way(place).reached || way(place).origin == here.origin);
        if (same) return here.origin;
      }
      way(at).reached = false;
      pieces_from(
          size - at, [&](std::size_t i) { return text[(at + i) % ring]; },
          [&](std::size_t length, std::int32_t, double score) {
            ahead& to = way(at + length);
            const double sum = score + here.score;
            if (!to.reached || sum > to.score) to = {sum, at == mark ? mark : here.origin, true};
          });
      at += character_size(text[at % ring]);
    }
  }

  /// Gives out the path to `place`, of which a row of unknown characters at its end waits, and goes on there.
  void commit(std::size_t place, bool last) noexcept {
    // The way back, turned around: a node then says the piece that begins there. Scores stay.
    const auto swap_piece = [](node& n, std::int32_t& id, std::uint32_t& length) {
      std::swap(n.id, id), std::swap(n.length, length);
    };
    std::int32_t id = -1;
    std::uint32_t length = 0;
    for (std::size_t at = place; at != 0;) {
      swap_piece(nodes_[at], id, length);
      at -= length;
    }
    nodes_[0].id = id, nodes_[0].length = length;
    std::size_t at = 0;
    while (at < place && !out_.full()) {
      const node piece = nodes_[at];
      if (piece.id != pieces_.unknown()) {
        out_.push(piece.id);
        at += piece.length, unknown_open_ = false;
        continue;
      }
      std::size_t run = piece.length;  // a row of unknown characters is one
      while (at + run < place && nodes_[at + run].id == pieces_.unknown()) run += nodes_[at + run].length;
      // What may still grow waits, but for what is too long for a piece already.
      if (at + run == place && !last && run <= pieces_.longest() && !unknown_open_ && at != 0) break;
      unknown({bytes_ + at, run}, at + run == place && !last);
      at += run;
    }
    if (last) return;
    // The rest of the word moves to the begin.
    std::memmove(bytes_, bytes_ + at, size_ - at);
    size_ -= at;
    done_ = cleared_ = 0;
    nodes_[0] = {nodes_[at].score, -1, 0};
  }

  /// A row of unknown characters: the piece that it happens to be, or its bytes' pieces, or one unknown token.
  void unknown(std::string_view text, bool goes_on) noexcept {
    const bool first = !unknown_open_;
    unknown_open_ = goes_on;
    if (first && !goes_on && text.size() <= pieces_.longest()) {
      piece_trie::cursor at(pieces_.trie());
      bool whole = true;
      for (const char c : text) whole = whole && at.step(static_cast<unsigned char>(c));
      if (whole && at.id() >= 0 && (specials_ || !at.special())) return out_.push(at.id());
    }
    if (pieces_.falls_back()) {
      const auto has = [&](char c) { return pieces_.byte_piece(static_cast<unsigned char>(c)) >= 0; };
      if (std::all_of(text.begin(), text.end(), has)) {
        for (const char c : text)
          out_.push(static_cast<std::int32_t>(pieces_.byte_piece(static_cast<unsigned char>(c))));
        return;
      }
    }
    if (first) out_.push(pieces_.unknown());
  }

  /// Characters that are looked ahead over in all of a word, before the best way so far has to do; and from then on.
  static constexpr std::size_t most_lookahead = std::size_t{1} << 22, least_lookahead = std::size_t{1} << 12;

  const unigram& pieces_;
  bool specials_;
  token_sink& out_;
  std::size_t size_ = 0;     ///< bytes of the word that are here
  std::size_t done_ = 0;     ///< starts before have been gone through
  std::size_t cleared_ = 0;  ///< nodes up to here are in use
  bool unknown_open_ = false;
  std::size_t lookups_left_ = 0;
  char bytes_[room];
  node nodes_[room + 1];
};

}  // namespace dupq::inline DUPQ_ABI
