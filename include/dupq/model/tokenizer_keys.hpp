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

/// What reads tokenizers that few programs need.
struct other_tokenizers {
  const text_extension* steps;  ///< texts whose normaliser is not BERT's own
  /// Files whose tokenizer is not WordPiece.
  result<std::optional<tokenizer>> (*subwords)(const gguf::file& file, arena& storage) noexcept;
};

/// Reads the vocabulary, its index and the special tokens. What files of other writers lack is made in `storage`: the
/// index, and the list of special tokens. With an arena that has no memory it only counts bytes and gives no tokenizer.
class tokenizer_reader {
 public:
  /// Without `others`, files of tokenizers that are not WordPiece with BERT's own normaliser are refused.
  tokenizer_reader(const gguf::file& file, arena& storage, const other_tokenizers* others) noexcept
      : read_(file), storage_(storage), others_(others) {}

  result<std::optional<tokenizer>> read() noexcept {
    const gguf::value tokens = read_.array("tokenizer.ggml.tokens", gguf::value_type::string);
    if (tokens.count == 0) read_.fail(errc::missing_key, "tokenizer.ggml.tokens");
    if (read_.text("tokenizer.ggml.model", {}) != "bert" && read_.done()) {
      if (others_ != nullptr) return others_->subwords(read_.file(), storage_);
      read_.fail(errc::unsupported, "tokenizer.ggml.model");
    }
    if (!read_.done()) return read_.done().error();
    const auto words = read_vocabulary(tokens);
    if (!words) return words.error();
    tokenizer_options o;
    const auto last = static_cast<std::uint32_t>(tokens.count - 1);
    const auto id = [&](const char* key, std::optional<std::uint32_t> fallback) {
      return static_cast<std::int32_t>(read_.integer(key, 0, last, fallback));
    };
    o.unk = id("tokenizer.ggml.unknown_token_id", {});
    o.sep = id("tokenizer.ggml.seperator_token_id", {});
    o.pad = id("tokenizer.ggml.padding_token_id", 0);
    // Older files of llama.cpp name [CLS] as the beginning of a sequence only.
    constexpr const char *cls = "tokenizer.ggml.cls_token_id", *beginning = "tokenizer.ggml.bos_token_id";
    o.cls = id(read_.has(cls) ? cls : beginning, {});
    // llama.cpp's keys, where the file has none of ours; without either a text is lower-cased and loses its accents.
    o.normal.lowercase = read_.boolean("tokenizer.ggml.normalizer.lowercase", true);
    o.normal.strip_accents = read_.boolean("tokenizer.ggml.normalizer.strip_accents", o.normal.lowercase);
    static constexpr struct {
      const char* key;
      bool normalization::*flag;
    } flags[] = {{"dupq.tokenizer.lowercase", &normalization::lowercase},
                 {"dupq.tokenizer.strip_accents", &normalization::strip_accents},
                 {"dupq.tokenizer.split_cjk", &normalization::split_cjk},
                 {"dupq.tokenizer.clean_text", &normalization::clean_text}};
    for (const auto& one : flags) o.normal.*one.flag = read_.boolean(one.key, o.normal.*one.flag);
    o.max_word_chars = read_.integer("dupq.tokenizer.max_word_chars", 1, model_limits::word_chars, 100);
    o.pair_separators = read_.integer("dupq.tokenizer.pair_separators", 1, 2, 1);
    if (!read_.done()) return read_.done().error();
    const auto added = read_.has("dupq.tokenizer.added_tokens") ? read_added() : make_added(tokens, o);
    if (!added) return added.error();
    if (const gguf::value steps = read_.array(normalizer_steps::key, gguf::value_type::string); steps.count != 0) {
      if (others_ == nullptr && !storage_.has_memory()) return std::optional<tokenizer>();
      if (others_ == nullptr) return error(errc::unsupported, normalizer_steps::key);
      o.extension = others_->steps;
      o.steps = normalizer_steps(steps.bytes, steps.count);
      if (const auto sound = o.extension->check(o.steps, storage_); !sound) return sound.error();
    }
    if (!read_.done()) return read_.done().error();
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

  /// The special tokens by their ids, and all that the file's types call special or added, spelt as the vocabulary has
  /// them. Added tokens that are not special are looked for in the normalised text, as they are unless they say other.
  result<added_tokens> make_added(const gguf::value& tokens, const tokenizer_options& o) noexcept {
    constexpr std::int32_t control = 3, user_defined = 4;  // the format's types
    const auto last = static_cast<std::uint32_t>(tokens.count - 1);
    const std::int32_t mask = static_cast<std::int32_t>(
        read_.integer("tokenizer.ggml.mask_token_id", 0, last, static_cast<std::uint32_t>(o.sep)));
    const gguf::value types = read_.array("tokenizer.ggml.token_type", gguf::value_type::i32);
    if (types.count != 0 && types.count != tokens.count)
      read_.fail(errc::wrong_size, "tokenizer.ggml.token_type", tokens.count, types.count);
    if (!read_.done()) return read_.done().error();
    // Called twice: to count, with null pointers, and to write what added_tokens reads.
    std::size_t count = 0, size = 0;
    const auto list = [&](std::byte* to, std::uint32_t* ids, std::uint32_t* flags) {
      count = size = 0;
      const std::byte* p = tokens.bytes.data();
      for (std::int32_t id = 0; id <= static_cast<std::int32_t>(last); ++id) {
        const auto length = static_cast<std::size_t>(gguf::load<std::uint64_t>(p));
        std::string_view text(reinterpret_cast<const char*>(p + 8), length);
        p += 8 + length;
        const auto type = types.count == 0 ? 0 : gguf::load<std::int32_t>(types.bytes.data() + std::size_t(id) * 4);
        const bool named = id == o.pad || id == o.unk || id == o.cls || id == o.sep || id == mask;
        if (type != control && type != user_defined && !(named && begins_with(text, "["))) continue;
        if (begins_with(text, "\xE2\x96\x81")) text = after(text, 3);  // what writers put before a word
        if (text.empty()) continue;
        if (to != nullptr) {
          const std::uint64_t bytes = text.size();
          std::memcpy(to + size, &bytes, 8);
          std::memcpy(to + size + 8, text.data(), text.size());
          ids[count] = static_cast<std::uint32_t>(id);
          flags[count] = type == user_defined ? added_tokens::normalized : 0;
        }
        ++count, size += 8 + text.size();
      }
    };
    list(nullptr, nullptr, nullptr);
    auto* const contents = storage_.take<std::byte>(size);
    auto* const ids = storage_.take<std::uint32_t>(count);
    auto* const flags = storage_.take<std::uint32_t>(count);
    if (contents == nullptr || ids == nullptr || flags == nullptr) return added_tokens();
    list(contents, ids, flags);
    return added_tokens::view({contents, size}, std::as_bytes(std::span(ids, count)),
                              std::as_bytes(std::span(flags, count)), count, static_cast<std::size_t>(tokens.count));
  }

  metadata_reader read_;
  arena& storage_;
  const other_tokenizers* others_;
};

}  // namespace dupq::inline DUPQ_ABI
