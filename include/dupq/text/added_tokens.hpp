// Tokens that are cut out of a text before it is normalised, such as "[SEP]": their list, and where a text has them.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "../core/error.hpp"
#include "../core/model_limits.hpp"
#include "../core/platform.hpp"
#include "../core/prefix.hpp"
#include "byte_block.hpp"
#include "unicode.hpp"

namespace dupq::inline DUPQ_ABI {

/// A view of a model file's arrays: contents (u64 length and bytes for each token), ids (u32), flags (u32).
class added_tokens {
 public:
  static constexpr std::uint32_t normalized = 1;   ///< is looked for in the normalised text
  static constexpr std::uint32_t lstrip = 2;       ///< takes the white space before it
  static constexpr std::uint32_t rstrip = 4;       ///< takes the white space after it
  static constexpr std::uint32_t single_word = 8;  ///< not within a word
  static constexpr std::size_t max_count = model_limits::added_tokens;

  struct token {
    std::string_view content;
    std::int32_t id;
    std::uint32_t flags;
  };

  added_tokens() noexcept = default;

  /// Errors: out_of_range (count, an id that is not below `vocabulary_size`), wrong_size, truncated, wrong_value (an
  /// empty content, or one that is not UTF-8, or unknown flags).
  static result<added_tokens> view(std::span<const std::byte> contents, std::span<const std::byte> ids,
                                   std::span<const std::byte> flags, std::uint64_t count,
                                   std::size_t vocabulary_size) noexcept {
    if (count > max_count) return error(errc::out_of_range, contents_key, max_count, count);
    if (ids.size() != count * 4) return error(errc::wrong_size, ids_key, count, ids.size() / 4);
    if (flags.size() != count * 4) return error(errc::wrong_size, flags_key, count, flags.size() / 4);
    added_tokens view;
    std::size_t place = 0;
    for (std::size_t i = 0; i < count; ++i) {
      std::uint64_t length = 0;
      if (contents.size() - place < 8) return error(errc::truncated, contents_key, place + 8, contents.size());
      std::memcpy(&length, contents.data() + place, 8);
      place += 8;
      if (contents.size() - place < length) return error(errc::truncated, contents_key, length, contents.size());
      const std::string_view content(reinterpret_cast<const char*>(contents.data()) + place,
                                     static_cast<std::size_t>(length));
      if (!is_text(content)) return error(errc::wrong_value, contents_key, 0, i);
      place += content.size();
      const std::uint32_t id = load32(ids.data() + i * 4);
      if (id >= vocabulary_size) return error(errc::out_of_range, ids_key, vocabulary_size - 1, id);
      const std::uint32_t bits = load32(flags.data() + i * 4);
      if (bits > 15) return error(errc::wrong_value, flags_key, 0, bits);
      if ((bits & normalized) != 0) continue;
      view.any_raw_ = true;
      view.any_lstrip_ |= (bits & lstrip) != 0;
      view.starts_.set(static_cast<unsigned char>(content.front()));
    }
    if (place != contents.size()) return error(errc::wrong_size, contents_key, place, contents.size());
    view.contents_ = contents.data(), view.ids_ = ids.data(), view.flags_ = flags.data();
    view.count_ = static_cast<std::size_t>(count);
    // Mostly one or two different first bytes, such as '[' and '<': next_start() then looks for these directly.
    std::size_t different = 0;
    for (std::size_t byte = 0; byte < view.starts_.size(); ++byte)
      if (view.starts_[byte]) view.start_[different++ == 0 ? 0 : 1] = static_cast<char>(byte);
    if (different == 1) view.start_[1] = view.start_[0];
    view.few_starts_ = different <= 2;
    return view;
  }

  template <class F>
  void for_each(F&& f) const noexcept {
    const std::byte* p = contents_;
    for (std::size_t i = 0; i < count_; ++i) {
      std::uint64_t length = 0;
      std::memcpy(&length, p, 8);
      const std::string_view content(reinterpret_cast<const char*>(p + 8), static_cast<std::size_t>(length));
      f(token{content, static_cast<std::int32_t>(load32(ids_ + i * 4)), load32(flags_ + i * 4)});
      p += 8 + content.size();
    }
  }

  std::size_t size() const noexcept { return count_; }
  /// Whether any is looked for in raw text; whether any of these takes the white space before it.
  bool any_raw() const noexcept { return any_raw_; }
  bool any_lstrip() const noexcept { return any_lstrip_; }

  /// The first place in [p, end) where a raw token may start; `end` where there is none.
  const char* next_start(const char* p, const char* end) const noexcept {
    if (few_starts_) return byte_block::find_either(p, end, start_[0], start_[1]);
    while (p < end && !starts_[static_cast<unsigned char>(*p)]) ++p;
    return p;
  }
  /// The longest raw token at `p`; an empty content where there is none.
  token raw_at(const char* p, const char* end) const noexcept {
    token best{{}, -1, 0};
    const std::string_view rest(p, static_cast<std::size_t>(end - p));
    for_each([&](const token& t) {
      if ((t.flags & normalized) == 0 && t.content.size() > best.content.size() && begins_with(rest, t.content))
        best = t;
    });
    return best;
  }

 private:
  static constexpr char contents_key[] = "dupq.tokenizer.added_tokens";
  static constexpr char ids_key[] = "dupq.tokenizer.added_ids";
  static constexpr char flags_key[] = "dupq.tokenizer.added_flags";

  static std::uint32_t load32(const std::byte* p) noexcept {
    std::uint32_t v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }

  static bool is_text(std::string_view s) noexcept { return !s.empty() && unicode::is_utf8(s); }

  const std::byte* contents_ = nullptr;
  const std::byte* ids_ = nullptr;
  const std::byte* flags_ = nullptr;
  std::size_t count_ = 0;
  bool any_raw_ = false;
  bool any_lstrip_ = false;
  std::bitset<256> starts_{};  ///< first bytes of raw tokens
  char start_[2] = {};         ///< the same where they are few
  bool few_starts_ = false;
};

/// A stretch of text up to the next raw token. It looks ahead only as far as it is read: `end` grows.
class stretch {
 public:
  /// All of `text`, tokens in it or not.
  explicit stretch(std::string_view text) noexcept
      : begin_(text.data()), end_(text.data() + text.size()), limit_(end_), scan_(end_), closed_(true) {}

  /// Begins at `begin`; tokens before `scan` are not looked for.
  stretch(const added_tokens& tokens, std::string_view text, const char* begin, const char* scan) noexcept
      : tokens_(&tokens),
        text_(text.data()),
        begin_(begin),
        end_(begin),
        limit_(text.data() + text.size()),
        scan_(scan),
        spaces_(begin),
        closed_(!tokens.any_raw()) {
    if (closed_) end_ = limit_;
  }

  const char* begin() const noexcept { return begin_; }
  /// The end of what is known to belong to the stretch, so far.
  const char* end() const noexcept { return end_; }
  /// The end of the whole text.
  const char* limit() const noexcept { return limit_; }

  /// Whether the whole text begins here.
  bool at_text_begin() const noexcept { return text_ == nullptr || begin_ == text_; }
  /// Whether special tokens in the text are such, or characters like any others.
  bool finds_tokens() const noexcept { return tokens_ != nullptr; }

  /// Looks further; true where that moved the end beyond `p`.
  bool extend(const char* p) noexcept {
    while (!closed_ && end_ <= p) look();
    return p < end_;
  }

  /// After the stretch was read: the token that ended it; an empty content at the text's end.
  const added_tokens::token& token() const noexcept { return token_; }
  /// Where the text goes on after the token, and from where the next one is looked for.
  const char* after() const noexcept { return after_; }
  const char* next_scan() const noexcept { return scan_; }

 private:
  static constexpr std::ptrdiff_t step = 1024;

  void look() noexcept {
    const char* stop = limit_ - scan_ > step ? scan_ + step : limit_;
    // Do not end in the middle of a UTF-8 character.
    for (int i = 0; i < 3 && stop < limit_ && (static_cast<unsigned char>(*stop) & 0xC0u) == 0x80; ++i) ++stop;
    const char* chunk = scan_;
    while ((scan_ = tokens_->next_start(scan_, stop)) < stop) {
      const added_tokens::token t = tokens_->raw_at(scan_, limit_);
      if (t.content.empty()) {
        ++scan_;
        continue;
      }
      const char* past = scan_ + t.content.size();
      if (stands_alone(t, scan_, past) && close(t, past)) return;
      scan_ = past;
    }
    if (scan_ >= limit_) {
      end_ = limit_, closed_ = true;
      return;
    }
    // White space may belong to a token that is still to come.
    if (tokens_->any_lstrip()) {
      const char* spaces = spaces_before(scan_, std::max(chunk, begin_));
      if (spaces > chunk) spaces_ = spaces;
      end_ = std::max(end_, std::max(spaces_, begin_));
    } else {
      end_ = std::max(end_, scan_);
    }
  }

  /// Ends the stretch at the token. False where nothing is left of the token: all of it is white space that the token
  /// before it has taken.
  bool close(const added_tokens::token& t, const char* past) noexcept {
    after_ = past;
    if ((t.flags & added_tokens::rstrip) != 0) {
      for (const char* p = past; p < limit_; after_ = p)
        if (!unicode::is_space(unicode::decode(p, limit_))) break;
    }
    const bool strips = (t.flags & added_tokens::lstrip) != 0;
    if (strips && after_ <= begin_) return false;
    end_ = std::max(end_, strips ? spaces_before(scan_, begin_) : scan_);
    token_ = t, scan_ = past, closed_ = true;
    return true;
  }

  bool stands_alone(const added_tokens::token& t, const char* start, const char* past) const noexcept {
    if ((t.flags & added_tokens::single_word) == 0) return true;
    if (start > text_ && unicode::is_word(unicode::decode_before(text_, start))) return false;
    return past == limit_ || !unicode::is_word(unicode::decode(past, limit_));
  }

  /// Start of the white space that ends at `p`, not before `from`.
  static const char* spaces_before(const char* p, const char* from) noexcept {
    while (p > from) {
      const char32_t c = unicode::decode_before(from, p);
      if (!unicode::is_space(c)) break;
      p -= c < 0x80 ? 1 : c < 0x800 ? 2 : 3;
    }
    return p;
  }

  const added_tokens* tokens_ = nullptr;
  const char* text_ = nullptr;  ///< the whole text's begin
  const char* begin_;
  const char* end_;
  const char* limit_;
  const char* scan_;              ///< no token starts before
  const char* spaces_ = nullptr;  ///< start of the white space before scan_
  const char* after_ = nullptr;
  bool closed_;
  added_tokens::token token_{{}, -1, 0};
};

}  // namespace dupq::inline DUPQ_ABI
