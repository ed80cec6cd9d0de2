// The pieces of words and their ids: a view of a model file's bytes that is ready without any memory of its own.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "../core/error.hpp"
#include "../core/model_limits.hpp"
#include "../core/platform.hpp"
#include "../core/prefix.hpp"
#include "piece_key.hpp"

namespace dupq::inline DUPQ_ABI {

/// A vocabulary over three arrays of a model file, none of them aligned:
///  - tokens: for each token a u64 length and its bytes. A token "▁xyz" begins a word, "[...]" is a special one, any
///    other goes on with a word (the form of llama.cpp's files; Hugging Face writes "xyz", "[...]" and "##xyz").
///  - offsets: u32 a token, the place of its length field in the tokens' bytes.
///  - table: slots of two u64, a power of two of them, at least two a token: a hash table with linear probing. A slot
///    is zeros when empty, otherwise a piece's key (piece_key.hpp, over the piece without its "▁") with the id in the
///    highest 24 bits; its search starts at the slot that the hash's highest bits number. Of equal tokens the last
///    counts. What people write most, words of ASCII with low ids, stands where it is looked for first.
/// A search for a piece of up to 12 bytes reads the table only, and mostly one slot.
class vocabulary {
 public:
  static constexpr std::size_t max_count = model_limits::vocabulary;
  /// The longest row of occupied slots: what the longest search costs.
  static constexpr std::size_t max_probes = 1024;

  /// An empty vocabulary: it finds nothing.
  vocabulary() noexcept = default;

  /// Checks every offset and every slot, and that every token is found. Errors: out_of_range (count), truncated,
  /// wrong_size, bad_vocabulary.
  static result<vocabulary> view(std::span<const std::byte> tokens, std::uint64_t count,
                                 std::span<const std::byte> offsets, std::span<const std::byte> table) noexcept {
    if (const auto done = check_sizes(tokens, count, offsets.size() / 4, table.size() / 16); !done) return done.error();
    if (offsets.size() % 4 != 0) return error(errc::wrong_size, offsets_key, count * 4, offsets.size());
    if (table.size() % 16 != 0) return error(errc::wrong_size, table_key, table.size() / 16 * 16, table.size());
    vocabulary v(tokens, static_cast<std::size_t>(count), offsets.data(), table.data(), table.size() / 16);
    std::uint64_t place = 0;
    for (std::uint32_t id = 0; id < v.count_; ++id) {
      if (load32(offsets.data() + std::size_t{id} * 4) != place) return error(errc::bad_vocabulary, offsets_key);
      if (const auto done = skip_token(tokens, place); !done) return done.error();
    }
    if (place != tokens.size()) return error(errc::wrong_size, tokens_key, place, tokens.size());
    if (!v.table_is_sound()) return error(errc::bad_vocabulary, table_key);
    for (std::uint32_t id = 0; id < v.count_; ++id) {
      const piece p = v.piece_of(id);
      const std::int32_t found = v.find(p.text, p.continuing);
      if (found < static_cast<std::int32_t>(id)) return error(errc::bad_vocabulary, table_key, id);
      v.longest_[p.continuing] = std::max(v.longest_[p.continuing], p.text.size());
    }
    return v;
  }

  /// A list of tokens without an index, for those that have one of their own: nothing is found in it. Errors: as
  /// view().
  static result<vocabulary> list(std::span<const std::byte> tokens, std::uint64_t count,
                                 std::span<const std::byte> offsets) noexcept {
    if (count == 0 || count > max_count || tokens.size() > 0xFFFFFFFFu)
      return error(errc::out_of_range, tokens_key, max_count, count);
    if (offsets.size() != count * 4) return error(errc::wrong_size, offsets_key, count, offsets.size() / 4);
    static constexpr std::byte no_slot[16]{};
    const vocabulary v(tokens, static_cast<std::size_t>(count), offsets.data(), no_slot, 1);
    std::uint64_t place = 0;
    for (std::size_t id = 0; id < v.count_; ++id) {
      if (load32(offsets.data() + id * 4) != place) return error(errc::bad_vocabulary, offsets_key);
      if (const auto done = skip_token(tokens, place); !done) return done.error();
    }
    if (place != tokens.size()) return error(errc::wrong_size, tokens_key, place, tokens.size());
    return v;
  }

  /// 64-bit integers in the table of a vocabulary of `count` tokens.
  static constexpr std::size_t table_size(std::size_t count) noexcept {
    return 2 * std::bit_ceil(2 * std::max(count, std::size_t{1}));
  }

  /// Fills `offsets` [count] and `table` [table_size(count), or a larger power of two].
  static result<void> build_index(std::span<const std::byte> tokens, std::uint64_t count,
                                  std::span<std::uint32_t> offsets, std::span<std::uint64_t> table) noexcept {
    if (const auto done = check_sizes(tokens, count, offsets.size(), table.size() / 2); !done) return done.error();
    std::uint64_t place = 0;
    for (std::uint32_t& offset : offsets) {
      offset = static_cast<std::uint32_t>(place);
      if (const auto done = skip_token(tokens, place); !done) return done.error();
    }
    if (place != tokens.size()) return error(errc::wrong_size, tokens_key, place, tokens.size());
    std::fill(table.begin(), table.end(), std::uint64_t{0});
    vocabulary v(tokens, static_cast<std::size_t>(count), reinterpret_cast<const std::byte*>(offsets.data()),
                 reinterpret_cast<const std::byte*>(table.data()), table.size() / 2);
    for (const bool likely : {true, false})
      for (std::uint32_t id = 0; id < v.count_; ++id)
        if (v.is_likely(id) == likely && !v.insert(id, table)) return error(errc::bad_vocabulary, tokens_key, id);
    if (!v.table_is_sound()) return error(errc::bad_vocabulary, tokens_key);
    return {};
  }

  /// The id of a piece (without "##" or "▁"), -1 where there is none.
  std::int32_t find(std::string_view text, bool continuing) const noexcept {
    if (count_ == 0 || (text.empty() && !continuing)) return -1;
    const piece_key key = piece_key::of(text, continuing);
    if (text.size() <= piece_key::capacity) return find(key);
    const auto is_it = [&](const slot& s) { return s.is(key) && piece_of(s.id()).text == text; };
    return search(key.hash(text), is_it);
  }
  /// The same for the key of a piece of up to 12 bytes; the vocabulary is not empty.
  std::int32_t find(const piece_key& key) const noexcept {
    return search(key.hash(), [&](const slot& s) { return s.is(key); });
  }

  std::size_t size() const noexcept { return count_; }
  /// The token as the file has it; `id` < size().
  std::string_view token(std::size_t id) const noexcept {
    const std::byte* p = tokens_ + load32(offsets_ + id * 4);
    return {reinterpret_cast<const char*>(p + 8), static_cast<std::size_t>(load64(p))};
  }
  /// Bytes of the longest piece that begins a word, or goes on with one.
  std::size_t longest(bool continuing) const noexcept { return longest_[continuing]; }

 private:
  struct piece {
    std::string_view text;
    bool continuing;
  };

  struct slot {
    static constexpr int id_shift = 40;
    std::uint64_t lo, hi;

    bool empty() const noexcept { return (hi >> 32 & 0xFF) == 0; }  // no piece has neither length nor kind
    piece_key key() const noexcept { return {lo, hi & ((std::uint64_t{1} << id_shift) - 1)}; }
    std::uint32_t id() const noexcept { return static_cast<std::uint32_t>(hi >> id_shift); }
    bool is(const piece_key& other) const noexcept {
      return ((lo ^ other.lo) | (hi ^ other.hi) << (64 - id_shift)) == 0;
    }
  };
  slot slot_at(std::size_t i) const noexcept { return {load64(table_ + i * 16), load64(table_ + i * 16 + 8)}; }

  static constexpr char tokens_key[] = "tokenizer.ggml.tokens";
  static constexpr char offsets_key[] = "dupq.vocab.offsets";
  static constexpr char table_key[] = "dupq.vocab.table";

  vocabulary(std::span<const std::byte> tokens, std::size_t count, const std::byte* offsets, const std::byte* table,
             std::size_t slot_total) noexcept
      : tokens_(tokens.data()),
        offsets_(offsets),
        table_(table),
        count_(count),
        slot_mask_(slot_total - 1),
        home_shift_(64 - static_cast<int>(std::bit_width(slot_total - 1))) {}

  static std::uint32_t load32(const std::byte* p) noexcept {
    static_assert(std::endian::native == std::endian::little, "dupq reads little-endian files in place");
    std::uint32_t v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  static std::uint64_t load64(const std::byte* p) noexcept {
    std::uint64_t v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }

  static result<void> check_sizes(std::span<const std::byte> tokens, std::uint64_t count, std::size_t offsets,
                                  std::size_t slots) noexcept {
    if (count == 0) return error(errc::out_of_range, tokens_key, 1, count);
    if (count > max_count) return error(errc::out_of_range, tokens_key, max_count, count);
    if (tokens.size() > 0xFFFFFFFFu) return error(errc::out_of_range, tokens_key, 0xFFFFFFFFu, tokens.size());
    if (offsets != count) return error(errc::wrong_size, offsets_key, count, offsets);
    const bool right = std::has_single_bit(slots) && slots >= 2 * count && slots <= 64 * max_count;
    if (!right) return error(errc::wrong_size, table_key, table_size(static_cast<std::size_t>(count)), slots * 2);
    return {};
  }

  /// Moves `place` over the token there, or says that the tokens end too early.
  static result<void> skip_token(std::span<const std::byte> tokens, std::uint64_t& place) noexcept {
    if (tokens.size() - place < 8) return error(errc::truncated, tokens_key, place + 8, tokens.size());
    const std::uint64_t length = load64(tokens.data() + place);
    if (tokens.size() - place - 8 < length) return error(errc::truncated, tokens_key, length, tokens.size());
    place += 8 + length;
    return {};
  }

  std::size_t home(std::uint64_t hash) const noexcept { return static_cast<std::size_t>(hash >> home_shift_); }

  /// The first id in the search from `hash` on that `is_it` takes; -1 where there is none.
  template <class F>
  std::int32_t search(std::uint64_t hash, F&& is_it) const noexcept {
    for (std::size_t at = home(hash);; at = (at + 1) & slot_mask_) {
      const slot s = slot_at(at);
      if (is_it(s)) return static_cast<std::int32_t>(s.id());
      if (s.empty()) return -1;
    }
  }

  /// Whether the token is a word of ASCII, or the beginning of one.
  bool is_likely(std::uint32_t id) const noexcept {
    const piece p = piece_of(id);
    const auto ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
    return !p.continuing && p.text.front() != '[' && std::all_of(p.text.begin(), p.text.end(), ascii);
  }

  /// Puts a token into the table that this vocabulary views; false where the search for a free slot takes too long.
  bool insert(std::uint32_t id, std::span<std::uint64_t> table) const noexcept {
    const piece p = piece_of(id);
    const piece_key key = piece_key::of(p.text, p.continuing);
    std::size_t at = home(key.hash(p.text));
    for (std::size_t probes = 0; !slot_at(at).empty(); at = (at + 1) & slot_mask_) {
      if (slot_at(at).is(key) && piece_of(slot_at(at).id()).text == p.text) break;
      if (++probes == max_probes) return false;
    }
    table[at * 2] = key.lo, table[at * 2 + 1] = key.hi | std::uint64_t{id} << slot::id_shift;
    return true;
  }

  /// Whether every slot holds the key of its id's token, and no row of occupied slots is so long that a search, which
  /// ends at an empty one, would take long.
  bool table_is_sound() const noexcept {
    const std::size_t total = slot_mask_ + 1;
    std::size_t row = 0;
    // On over the first slots: a row may run from the table's end to its beginning.
    for (std::size_t i = 0; i < total + std::min(total, max_probes); ++i) {
      const slot s = slot_at(i & slot_mask_);
      row = s.empty() ? 0 : row + 1;
      if (row > max_probes || row > total) return false;
      if (i >= total || (s.lo | s.hi) == 0) continue;
      if (s.id() >= count_) return false;
      const piece p = piece_of(s.id());
      if (s.key() != piece_key::of(p.text, p.continuing)) return false;
    }
    return true;
  }

  piece piece_of(std::size_t id) const noexcept {
    constexpr std::string_view word_start = "\xE2\x96\x81";
    const std::string_view t = token(id);
    if (t.size() > word_start.size() && begins_with(t, word_start)) return {after(t, word_start.size()), false};
    const bool special = t.size() > 2 && t.front() == '[' && t.back() == ']';
    return {t, !special};
  }

  const std::byte* tokens_ = nullptr;
  const std::byte* offsets_ = nullptr;
  const std::byte* table_ = nullptr;
  std::size_t count_ = 0;
  std::size_t longest_[2] = {0, 0};
  std::size_t slot_mask_ = 0;
  int home_shift_ = 63;
};

}  // namespace dupq::inline DUPQ_ABI
