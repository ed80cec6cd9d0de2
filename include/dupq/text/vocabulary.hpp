// The pieces of words and their ids: a view of a model file's bytes that is ready without any memory of its own.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "../core/error.hpp"
#include "../core/platform.hpp"
#include "../core/prefix.hpp"

namespace dupq::inline DUPQ_ABI {

/// A vocabulary over three arrays of a model file, none of them aligned:
///  - tokens: for each token a u64 length and its bytes. A token "▁xyz" begins a word, "[...]" is a special one, any
///    other goes on with a word (the form of llama.cpp's files; Hugging Face writes "xyz", "[...]" and "##xyz").
///  - offsets: u32 a token, the place of its length field in the tokens' bytes.
///  - slots: u32, a power of two of them, at least two a token: a hash table with linear probing. A slot is
///    0xFFFFFFFF when empty, otherwise the id in the low bit_width(count) bits and above them the same bits of the
///    piece's hash; its search starts at hash % slots. The hash is FNV-1a (32 bits) over the piece without its "▁",
///    from another start value for pieces that go on with a word, and a final mix. Of equal tokens the last counts.
class vocabulary {
 public:
  static constexpr std::uint32_t empty_slot = 0xFFFFFFFFu;
  static constexpr std::size_t max_count = std::size_t{1} << 24;
  /// The longest row of occupied slots: what the longest search costs.
  static constexpr std::size_t max_probes = 1024;

  /// An empty vocabulary: it finds nothing.
  vocabulary() noexcept = default;

  /// Checks every offset and that every token is found. Errors: out_of_range (count), truncated, wrong_size,
  /// bad_vocabulary.
  static result<vocabulary> view(std::span<const std::byte> tokens, std::uint64_t count,
                                 std::span<const std::byte> offsets, std::span<const std::byte> slots) noexcept {
    if (const auto e = check_sizes(tokens, count, offsets.size() / 4, slots.size() / 4)) return *e;
    if (offsets.size() % 4 != 0) return error(errc::wrong_size, offsets_key, count * 4, offsets.size());
    vocabulary v(tokens, static_cast<std::size_t>(count), offsets.data(), slots.data(), slots.size() / 4);
    std::uint64_t place = 0;
    for (std::uint32_t id = 0; id < v.count_; ++id) {
      if (load32(offsets.data() + std::size_t{id} * 4) != place) return error(errc::bad_vocabulary, offsets_key);
      if (const auto e = skip_token(tokens, place)) return *e;
    }
    if (place != tokens.size()) return error(errc::wrong_size, tokens_key, place, tokens.size());
    if (!v.slots_are_sound()) return error(errc::bad_vocabulary, slots_key);
    for (std::uint32_t id = 0; id < v.count_; ++id) {
      const piece p = v.piece_of(id);
      const std::int32_t found = v.find(p.text, p.continuing);
      if (found < static_cast<std::int32_t>(id)) return error(errc::bad_vocabulary, slots_key, id);
      v.longest_[p.continuing] = std::max(v.longest_[p.continuing], p.text.size());
    }
    return v;
  }

  /// Slots that a vocabulary of `count` tokens takes.
  static constexpr std::size_t slot_count(std::size_t count) noexcept {
    return std::bit_ceil(2 * std::max(count, std::size_t{1}));
  }

  /// Fills `offsets` [count] and `slots` [slot_count(count), or a larger power of two].
  static std::optional<error> build_index(std::span<const std::byte> tokens, std::uint64_t count,
                                          std::span<std::uint32_t> offsets, std::span<std::uint32_t> slots) noexcept {
    if (const auto e = check_sizes(tokens, count, offsets.size(), slots.size())) return *e;
    std::uint64_t place = 0;
    for (std::uint32_t& offset : offsets) {
      offset = static_cast<std::uint32_t>(place);
      if (const auto e = skip_token(tokens, place)) return *e;
    }
    if (place != tokens.size()) return error(errc::wrong_size, tokens_key, place, tokens.size());
    for (std::uint32_t& slot : slots) slot = empty_slot;
    vocabulary v(tokens, static_cast<std::size_t>(count), reinterpret_cast<const std::byte*>(offsets.data()),
                 reinterpret_cast<const std::byte*>(slots.data()), slots.size());
    for (std::uint32_t id = 0; id < v.count_; ++id) {
      const piece p = v.piece_of(id);
      const std::uint32_t h = hash(p.text, p.continuing);
      std::uint32_t at = h & v.slot_mask_;
      for (std::size_t probes = 0; slots[at] != empty_slot; at = (at + 1) & v.slot_mask_) {
        const piece other = v.piece_of(slots[at] & v.id_mask_);
        if (other.continuing == p.continuing && other.text == p.text) break;
        if (++probes == max_probes) return error(errc::bad_vocabulary, tokens_key, id);
      }
      slots[at] = (h & ~v.id_mask_) | id;
    }
    if (!v.slots_are_sound()) return error(errc::bad_vocabulary, tokens_key);
    return std::nullopt;
  }

  /// The id of a piece (without "##" or "▁"), -1 where there is none.
  std::int32_t find(std::string_view text, bool continuing) const noexcept {
    return find(text, continuing, hash(text, continuing));
  }
  /// The same where the hash is known.
  std::int32_t find(std::string_view text, bool continuing, std::uint32_t h) const noexcept {
    if (count_ == 0) return -1;
    for (std::uint32_t at = h & slot_mask_;; at = (at + 1) & slot_mask_) {
      const std::uint32_t slot = load32(slots_ + std::size_t{at} * 4);
      if (slot == empty_slot) return -1;
      if (((slot ^ h) & ~id_mask_) != 0) continue;
      const piece p = piece_of(slot & id_mask_);
      if (p.continuing == continuing && p.text == text) return static_cast<std::int32_t>(slot & id_mask_);
    }
  }

  std::size_t size() const noexcept { return count_; }
  /// The token as the file has it; `id` < size().
  std::string_view token(std::size_t id) const noexcept {
    const std::byte* p = tokens_ + load32(offsets_ + id * 4);
    return {reinterpret_cast<const char*>(p + 8), static_cast<std::size_t>(load64(p))};
  }
  /// Bytes of the longest piece that begins a word, or goes on with one.
  std::size_t longest(bool continuing) const noexcept { return longest_[continuing]; }

  /// The hash, to be taken along while a piece grows: finish(step(step(start(c), byte), byte)).
  static constexpr std::uint32_t hash_start(bool continuing) noexcept { return continuing ? 0x811C9DC5u : 0x9E3779B9u; }
  static constexpr std::uint32_t hash_step(std::uint32_t h, char byte) noexcept {
    return (h ^ static_cast<unsigned char>(byte)) * 0x01000193u;
  }
  static constexpr std::uint32_t hash_finish(std::uint32_t h) noexcept {
    h = (h ^ h >> 15) * 0x2C1B3C6Du;
    return h ^ h >> 13;
  }
  static constexpr std::uint32_t hash(std::string_view text, bool continuing) noexcept {
    std::uint32_t h = hash_start(continuing);
    for (const char c : text) h = hash_step(h, c);
    return hash_finish(h);
  }

 private:
  struct piece {
    std::string_view text;
    bool continuing;
  };

  static constexpr std::string_view tokens_key = "tokenizer.ggml.tokens";
  static constexpr std::string_view offsets_key = "dupq.vocab.offsets";
  static constexpr std::string_view slots_key = "dupq.vocab.slots";

  vocabulary(std::span<const std::byte> tokens, std::size_t count, const std::byte* offsets, const std::byte* slots,
             std::size_t slot_total) noexcept
      : tokens_(tokens.data()),
        offsets_(offsets),
        slots_(slots),
        count_(count),
        slot_mask_(static_cast<std::uint32_t>(slot_total - 1)),
        id_mask_((1u << std::bit_width(count)) - 1u) {}

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

  static std::optional<error> check_sizes(std::span<const std::byte> tokens, std::uint64_t count, std::size_t offsets,
                                          std::size_t slots) noexcept {
    if (count == 0 || count > max_count) return error(errc::out_of_range, tokens_key, max_count, count);
    if (tokens.size() > 0xFFFFFFFFu) return error(errc::out_of_range, tokens_key, 0xFFFFFFFFu, tokens.size());
    if (offsets != count) return error(errc::wrong_size, offsets_key, count, offsets);
    const bool right = std::has_single_bit(slots) && slots >= 2 * count && slots <= 64 * max_count;
    if (!right) return error(errc::wrong_size, slots_key, slot_count(static_cast<std::size_t>(count)), slots);
    return std::nullopt;
  }

  /// Moves `place` over the token there, or says that the tokens end too early.
  static std::optional<error> skip_token(std::span<const std::byte> tokens, std::uint64_t& place) noexcept {
    if (tokens.size() - place < 8) return error(errc::truncated, tokens_key, place + 8, tokens.size());
    const std::uint64_t length = load64(tokens.data() + place);
    if (tokens.size() - place - 8 < length) return error(errc::truncated, tokens_key, length, tokens.size());
    place += 8 + length;
    return std::nullopt;
  }

  /// Ids in range, and no long rows without an empty slot, so that a search is short.
  bool slots_are_sound() const noexcept {
    const std::size_t total = std::size_t{slot_mask_} + 1;
    std::size_t row = 0;
    // Once more over the first slots: a row may run from the end to the beginning.
    for (std::size_t i = 0; i < total + std::min(total, max_probes); ++i) {
      const std::uint32_t slot = load32(slots_ + (i & slot_mask_) * 4);
      row = slot == empty_slot ? 0 : row + 1;
      if (slot != empty_slot && (slot & id_mask_) >= count_) return false;
      if (row > max_probes || row > total) return false;
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
  const std::byte* slots_ = nullptr;
  std::size_t count_ = 0;
  std::size_t longest_[2] = {0, 0};
  std::uint32_t slot_mask_ = 0;
  std::uint32_t id_mask_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI
