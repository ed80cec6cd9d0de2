// The keys of a model file that describe its tokenizer: they become a `tokenizer` over the file's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "../core/arena.hpp"
#include "../core/config.hpp"
#include "../core/error.hpp"
#include "../core/gguf.hpp"
#include "../core/model_limits.hpp"
#include "../text/vocabulary.hpp"
#include "../text/wordpiece.hpp"
#include "metadata.hpp"

namespace dupq::inline DUPQ_ABI {

/// Reads the vocabulary, its index and the special tokens. What files of other writers lack is made in `storage`: the
/// index, and the list of special tokens. With an arena that has no memory it only counts bytes and gives no tokenizer.
class tokenizer_reader {
 public:
  tokenizer_reader(const gguf::file& file, arena& storage) noexcept : read_(file), storage_(storage) {}

  result<std::optional<tokenizer>> read() noexcept {
    const gguf::value tokens = read_.array("tokenizer.ggml.tokens", gguf::value_type::string);
    if (tokens.count == 0) read_.fail(error(errc::missing_key, "tokenizer.ggml.tokens"));
    if (read_.text("tokenizer.ggml.model", {}) != "bert" && read_.done())
      read_.fail(error(errc::unsupported, "tokenizer.ggml.model"));
    if (!read_.done()) return read_.done().error();
    const auto words = read_vocabulary(tokens);
    if (!words) return words.error();
    tokenizer_options o;
    const auto last = static_cast<std::uint32_t>(tokens.count - 1);
    const auto id = [&](std::string_view key, std::optional<std::uint32_t> fallback) {
      return static_cast<std::int32_t>(read_.integer(key, 0, last, fallback));
    };
    o.unk = id("tokenizer.ggml.unknown_token_id", {});
    o.sep = id("tokenizer.ggml.seperator_token_id", {});
    o.pad = id("tokenizer.ggml.padding_token_id", 0);
    // Older files of llama.cpp name [CLS] as the beginning of a sequence only.
    o.cls = id(read_.has("tokenizer.ggml.cls_token_id") ? "tokenizer.ggml.cls_token_id" : "tokenizer.ggml.bos_token_id",
               {});
    o.normal.lowercase = read_.boolean("dupq.tokenizer.lowercase", true);
    o.normal.strip_accents = read_.boolean("dupq.tokenizer.strip_accents", true);
    o.normal.split_cjk = read_.boolean("dupq.tokenizer.split_cjk", true);
    o.normal.clean_text = read_.boolean("dupq.tokenizer.clean_text", true);
    o.max_word_chars = read_.integer("dupq.tokenizer.max_word_chars", 1, model_limits::word_chars, 100);
    o.pair_separators = read_.integer("dupq.tokenizer.pair_separators", 1, 2, 1);
    if (!read_.done()) return read_.done().error();
    const auto added = read_.has("dupq.tokenizer.added_tokens") ? read_added() : make_added(**words, o);
    if (!added) return added.error();
    if (!storage_.has_memory()) return std::optional<tokenizer>();
    const auto made = tokenizer::make(**words, o, *added);
    if (!made) return made.error();
    return std::optional<tokenizer>(*made);
  }

 private:
  result<std::optional<vocabulary>> read_vocabulary(const gguf::value& tokens) noexcept {
    gguf::value offsets = read_.array("dupq.vocab.offsets", gguf::value_type::u32);
    gguf::value table = read_.array("dupq.vocab.table", gguf::value_type::u64);
    if (!read_.done()) return read_.done().error();
    if (offsets.count == 0 || table.count == 0) {
      const auto count = static_cast<std::size_t>(tokens.count);
      auto* const own_offsets = storage_.take<std::uint32_t>(count);
      auto* const own_table = storage_.take<std::uint64_t>(vocabulary::table_size(count));
      if (own_offsets == nullptr || own_table == nullptr) return std::optional<vocabulary>(vocabulary());
      const std::span offset_span(own_offsets, count);
      const std::span table_span(own_table, vocabulary::table_size(count));
      if (const auto done = vocabulary::build_index(tokens.bytes, count, offset_span, table_span); !done)
        return done.error();
      offsets.bytes = std::as_bytes(offset_span);
      table.bytes = std::as_bytes(table_span);
    }
    if (!storage_.has_memory()) return std::optional<vocabulary>(vocabulary());
    const auto v = vocabulary::view(tokens.bytes, tokens.count, offsets.bytes, table.bytes);
    if (!v) return v.error();
    return std::optional<vocabulary>(*v);
  }

  result<added_tokens> read_added() noexcept {
    const gguf::value contents = read_.array("dupq.tokenizer.added_tokens", gguf::value_type::string);
    const gguf::value ids = read_.array("dupq.tokenizer.added_ids", gguf::value_type::u32);
    const gguf::value flags = read_.array("dupq.tokenizer.added_flags", gguf::value_type::u32);
    const gguf::value tokens = read_.array("tokenizer.ggml.tokens", gguf::value_type::string);
    if (!read_.done()) return read_.done().error();
    return added_tokens::view(contents.bytes, ids.bytes, flags.bytes, contents.count,
                              static_cast<std::size_t>(tokens.count));
  }

  /// The special tokens by their ids, spelt as the vocabulary has them.
  result<added_tokens> make_added(const vocabulary& words, const tokenizer_options& o) noexcept {
    constexpr std::size_t most = 5, longest = 64;
    auto* const contents = storage_.take<std::byte>(most * (8 + longest));
    auto* const ids = storage_.take<std::uint32_t>(most);
    auto* const flags = storage_.take<std::uint32_t>(most);
    if (contents == nullptr || ids == nullptr || flags == nullptr || words.size() == 0) return added_tokens();
    const auto last = static_cast<std::uint32_t>(words.size() - 1);
    const std::int32_t mask = static_cast<std::int32_t>(
        read_.integer("tokenizer.ggml.mask_token_id", 0, last, static_cast<std::uint32_t>(o.sep)));
    if (!read_.done()) return read_.done().error();
    const std::int32_t special[most] = {o.pad, o.unk, o.cls, o.sep, mask};
    std::size_t count = 0, size = 0;
    for (std::size_t i = 0; i < most; ++i) {
      const std::string_view text = words.token(static_cast<std::size_t>(special[i]));
      bool again = text.empty() || text.size() > longest || text.front() != '[';
      for (std::size_t j = 0; j < i; ++j) again = again || special[j] == special[i];
      if (again) continue;
      const std::uint64_t length = text.size();
      std::memcpy(contents + size, &length, 8);
      std::memcpy(contents + size + 8, text.data(), text.size());
      size += 8 + text.size();
      ids[count] = static_cast<std::uint32_t>(special[i]);
      flags[count++] = 0;
    }
    return added_tokens::view({contents, size}, std::as_bytes(std::span(ids, count)),
                              std::as_bytes(std::span(flags, count)), count, words.size());
  }

  metadata_reader read_;
  arena& storage_;
};

}  // namespace dupq::inline DUPQ_ABI
