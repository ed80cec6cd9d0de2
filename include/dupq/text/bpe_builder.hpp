// Builds the tables of byte-level BPE (bpe.hpp) of a vocabulary and merges that are texts, as files of other writers
// have them, in memory that the caller has.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "../core/arena.hpp"
#include "../core/error.hpp"
#include "../core/platform.hpp"
#include "../core/prefix.hpp"
#include "bpe.hpp"
#include "key_slots.hpp"
#include "piece_key.hpp"
#include "utf8.hpp"
#include "vocabulary.hpp"

namespace dupq::inline DUPQ_ABI {

/// The characters that stand for bytes in tokens: printable ones of Latin-1 for themselves, others from U+0100 on.
namespace byte_characters {

constexpr char32_t of(unsigned char byte) noexcept {
  if ((byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD)) return byte;
  return byte <= ' ' ? 0x100u + byte : byte == 0xAD ? 0x143u : 0x121u + (byte - 0x7Fu);
}
/// -1 for a character that stands for none.
constexpr int byte_of(char32_t c) noexcept {
  const char32_t byte = c < 0x100 ? c : c <= 0x120 ? c - 0x100 : c <= 0x142 ? c - 0x121 + 0x7F : 0xAD;
  return c <= 0x143 && of(static_cast<unsigned char>(byte)) == c ? static_cast<int>(byte) : -1;
}

}  // namespace byte_characters

/// Tokens by how they are spelt, while tables are made: a hash table in the caller's memory.
class token_index {
 public:
  /// `slots`: two numbers each, a power of two of them, at least two a token.
  token_index(const vocabulary& tokens, std::span<std::uint64_t> slots) noexcept
      : tokens_(tokens), slots_(slots), mask_(slots.size() / 2 - 1) {}

  /// Of equal tokens the last counts. False where tokens are made to collide.
  bool fill() noexcept {
    std::fill(slots_.begin(), slots_.end(), std::uint64_t{0});
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      const std::size_t at = search(tokens_.token(id), {});
      if (at == nowhere) return false;
      slots_[2 * at] = hash(tokens_.token(id), {}), slots_[2 * at + 1] = id + 1;
    }
    return true;
  }
  /// The token that is spelt as the one text and then the other; -1 where there is none.
  std::int64_t find(std::string_view first, std::string_view second = {}) const noexcept {
    const std::size_t at = search(first, second);
    return at == nowhere ? -1 : static_cast<std::int64_t>(slots_[2 * at + 1]) - 1;
  }

 private:
  static constexpr std::size_t nowhere = ~std::size_t{0};

  static std::uint64_t hash(std::string_view first, std::string_view second) noexcept {
    std::uint64_t h = 0xCBF29CE484222325u;
    for (const std::string_view part : {first, second})
      for (const char c : part) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
    return h ^ h >> 32;
  }
  /// Its slot, or the empty one where it would be.
  std::size_t search(std::string_view first, std::string_view second) const noexcept {
    const std::uint64_t h = hash(first, second);
    std::size_t at = static_cast<std::size_t>(h) & mask_;
    for (std::size_t probes = 0; probes < key_slots::max_probes; ++probes, at = (at + 1) & mask_) {
      if (slots_[2 * at + 1] == 0) return at;
      if (slots_[2 * at] != h) continue;
      const std::string_view token = tokens_.token(static_cast<std::size_t>(slots_[2 * at + 1] - 1));
      if (begins_with(token, first) && after(token, first.size()) == second) return at;
    }
    return nowhere;
  }

  const vocabulary& tokens_;
  std::span<std::uint64_t> slots_;
  std::size_t mask_;
};

class bpe_builder {
 public:
  static constexpr char merges_key[] = "tokenizer.ggml.merges";

  /// Where the tables of so many tokens and merges find room.
  struct tables {
    std::int32_t* bytes;
    std::span<std::uint64_t> merges, filter, words;

    tables(std::size_t tokens, std::size_t merge_count, arena& storage) noexcept
        : bytes(storage.take<std::int32_t>(256)),
          merges(take(2 * key_slots::count_for(merge_count), storage)),
          filter(take(bpe::filter_for(merge_count), storage)),
          words(take(2 * key_slots::count_for(tokens), storage)) {}

   private:
    static std::span<std::uint64_t> take(std::size_t size, arena& storage) noexcept {
      return {storage.take<std::uint64_t>(size), size};
    }
  };

  /// `merges`: `count` texts, each a u64 length and its bytes: two tokens with a blank between them. Errors:
  /// bad_vocabulary, wrong_value (a merge that is not of tokens, with its number).
  static result<bpe> build(const vocabulary& tokens, std::span<const std::byte> merges, std::size_t count,
                           const tables& to) noexcept {
    token_index index(tokens, to.words);  // words come when it is not needed any more
    if (!index.fill()) return error(errc::bad_vocabulary, "tokenizer.ggml.tokens");
    for (unsigned b = 0; b < 256; ++b) {
      char utf8[4];
      const std::size_t size = unicode::encode(byte_characters::of(static_cast<unsigned char>(b)), utf8);
      to.bytes[b] = static_cast<std::int32_t>(index.find({utf8, size}));
    }
    if (const auto done = put_merges(index, merges, count, to); !done) return done.error();
    std::fill(to.words.begin(), to.words.end(), std::uint64_t{0});
    const auto bytes = std::as_bytes(std::span(to.bytes, 256)), words = std::as_bytes(to.words);
    const auto view = bpe::view(bytes, std::as_bytes(to.merges), words, tokens.size());
    if (!view) return view.error();
    for (std::uint32_t id = 0; id < tokens.size(); ++id)
      if (!put_word(*view, tokens.token(id), id, to.words)) return error(errc::bad_vocabulary, "tokenizer.ggml.tokens");
    return bpe::view(bytes, std::as_bytes(to.merges), words, tokens.size(), std::as_bytes(to.filter));
  }

  /// Whether the bytes become this token.
  static bool is_whole(const bpe& merges, std::string_view bytes, std::uint32_t id) noexcept {
    std::int32_t ids[2];
    token_sink sink{ids, 1, 2, 2};
    bpe_merger(merges, sink).add(bytes);
    return sink.count == 1 && ids[0] == static_cast<std::int32_t>(id);
  }

 private:
  static result<void> put_merges(const token_index& index, std::span<const std::byte> merges, std::size_t count,
                                 const tables& to) noexcept {
    for (std::size_t i = 0; i < to.merges.size(); i += 2) to.merges[i] = bpe::no_pair, to.merges[i + 1] = 0;
    std::fill(to.filter.begin(), to.filter.end(), std::uint64_t{0});
    const std::byte* p = merges.data();
    for (std::size_t rank = 0; rank < count; ++rank) {
      std::uint64_t length;
      std::memcpy(&length, p, sizeof length);
      const std::string_view text(reinterpret_cast<const char*>(p + 8), static_cast<std::size_t>(length));
      p += 8 + text.size();
      const std::size_t blank = text.find(' ');
      if (blank == text.npos) return error(errc::wrong_value, merges_key, 0, rank);
      const std::string_view first = first_of(text, blank), second = after(text, blank + 1);
      const std::int64_t left = index.find(first), right = index.find(second), made = index.find(first, second);
      if (left < 0 || right < 0 || made < 0) return error(errc::wrong_value, merges_key, 0, rank);
      const std::uint64_t pair = static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right);
      bpe::put_filter(to.filter, pair);
      if (!bpe::put_merge(to.merges, pair, {static_cast<std::uint32_t>(rank), static_cast<std::uint32_t>(made)}))
        return error(errc::bad_vocabulary, merges_key, 0, rank);
    }
    return {};
  }

  /// A token that is what its bytes become; others, and long ones, are found by their merges.
  static bool put_word(const bpe& merges, std::string_view token, std::uint32_t id,
                       std::span<std::uint64_t> words) noexcept {
    char bytes[piece_key::capacity + 1];
    std::size_t size = 0;
    for (const char *p = token.data(), *const end = p + token.size(); p != end; ++size) {
      const int byte = byte_characters::byte_of(unicode::decode(p, end));
      if (byte < 0 || size == sizeof bytes) return true;
      bytes[size] = static_cast<char>(byte);
    }
    if (size == 0 || !is_whole(merges, {bytes, size}, id)) return true;
    const std::size_t blank = bytes[0] == ' ' ? 1 : 0;
    if (size - blank > piece_key::capacity) return true;
    return word_slots::put(words, piece_key::of({bytes + blank, size - blank}, blank != 0), id);
  }
};

}  // namespace dupq::inline DUPQ_ABI
