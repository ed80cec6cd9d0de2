// The keys of a model file whose tokenizer is not WordPiece: they become a `tokenizer` over the file's bytes. Programs
// that take no settings but the common ones do not contain it (rare_settings.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

#include "../core/arena.hpp"
#include "../core/error.hpp"
#include "../core/gguf.hpp"
#include "../text/bpe_text.hpp"
#include "../text/unigram_text.hpp"
#include "../text/vocabulary.hpp"
#include "../text/wordpiece.hpp"
#include "foreign_subwords.hpp"
#include "metadata.hpp"

namespace dupq::inline DUPQ_ABI {

/// Reads a tokenizer by `tokenizer.ggml.model`: "t5", which is Unigram, or "gpt2", which is byte-level BPE. With an
/// arena that has no memory it only counts bytes and gives no tokenizer.
class subword_reader {
 public:
  static result<std::optional<tokenizer>> read(const gguf::file& file, arena& storage) noexcept {
    return subword_reader(file, storage).run();
  }

 private:
  subword_reader(const gguf::file& file, arena& storage) noexcept : read_(file), storage_(storage) {}

  result<std::optional<tokenizer>> run() noexcept {
    constexpr const char* kind_key = "tokenizer.ggml.model";
    const std::string_view kind = read_.text(kind_key, {});
    if (kind != "t5" && kind != "gpt2") read_.fail(errc::unsupported, kind_key);
    const gguf::value tokens = read_.array("tokenizer.ggml.tokens", gguf::value_type::string);
    if (tokens.count == 0) read_.fail(errc::missing_key, "tokenizer.ggml.tokens");
    if (!read_.done()) return read_.done().error();
    if (foreign_subwords::is_in(read_)) {
      foreign_subwords foreign(read_.file(), storage_);
      return kind == "t5" ? foreign.read_unigram() : foreign.read_bpe();
    }
    return kind == "t5" ? read_unigram(tokens) : read_bpe(tokens);
  }

  result<std::optional<tokenizer>> read_bpe(const gguf::value& tokens) noexcept {
    auto* const model = storage_.take<bpe_model>(1);
    auto* const letters = storage_.take<bpe::merge>(bpe::letter_pairs);
    tokenizer_options o = read_options(tokens);
    o.extension = &bpe_text, o.pieces = model;
    const gguf::value bytes = required(bpe::bytes_key, gguf::value_type::i32);
    const gguf::value merges = required(bpe::merges_key, gguf::value_type::u64);
    const gguf::value words = required(bpe::words_key, gguf::value_type::u64);
    const gguf::value filter = read_.array(bpe::filter_key, gguf::value_type::u64);
    const bool prefix = read_.boolean(bpe_model::prefix_key, false), split = read_.boolean(bpe_model::split_key, true);
    if (!read_.done()) return read_.done().error();
    if (letters == nullptr) return std::optional<tokenizer>();
    auto made = bpe::view(bytes.bytes, merges.bytes, words.bytes, static_cast<std::size_t>(tokens.count), filter.bytes);
    if (!made) return made.error();
    made->remember_letters(letters);
    ::new (static_cast<void*>(model)) bpe_model{*made, prefix, split};
    return make(tokens, o);
  }

  result<std::optional<tokenizer>> read_unigram(const gguf::value& tokens) noexcept {
    auto* const model = storage_.take<unigram_model>(1);
    tokenizer_options o = read_options(tokens);
    o.extension = &unigram_text, o.pieces = model;
    unigram::settings s;
    s.unknown = o.unk;
    s.longest = read_.integer(unigram::longest_key, 1, unigram::most_bytes);
    const gguf::value trie = required(piece_trie::key, gguf::value_type::u64);
    const gguf::value scores = required(unigram::scores_key, gguf::value_type::f64);
    s.byte_pieces = read_.array(unigram::bytes_key, gguf::value_type::i32).bytes;
    s.words = read_.array(unigram::words_key, gguf::value_type::u64).bytes;
    s.breaks = read_.array(unigram::breaks_key, gguf::value_type::u64).bytes;
    const gguf::value cut = read_.array(pre_tokenizer::key, gguf::value_type::string);
    if (!read_.done()) return read_.done().error();
    if (model == nullptr) return std::optional<tokenizer>();
    const auto pieces = unigram::view(trie.bytes, scores.bytes, static_cast<std::size_t>(tokens.count), s);
    if (!pieces) return pieces.error();
    const auto parts = pre_tokenizer::read(cut.bytes, cut.count);
    if (!parts) return parts.error();
    ::new (static_cast<void*>(model)) unigram_model{*pieces, *parts, unigram_reading::keeps_ascii(*parts, o.steps)};
    return make(tokens, o);
  }

  gguf::value required(const char* key, gguf::value_type element) noexcept {
    const gguf::value v = read_.array(key, element);
    if (v.count == 0) read_.fail(errc::missing_key, key);
    return v;
  }

  tokenizer_options read_options(const gguf::value& tokens) noexcept {
    tokenizer_options o;
    const auto last = static_cast<std::uint32_t>(tokens.count - 1);
    for (const auto& [key, id] : {std::pair{"tokenizer.ggml.unknown_token_id", &tokenizer_options::unk},
                                  {"tokenizer.ggml.seperator_token_id", &tokenizer_options::sep},
                                  {"tokenizer.ggml.padding_token_id", &tokenizer_options::pad},
                                  {"tokenizer.ggml.cls_token_id", &tokenizer_options::cls}})
      o.*id = static_cast<std::int32_t>(read_.integer(key, 0, last));
    o.pair_separators = read_.integer("dupq.tokenizer.pair_separators", 1, 2, 1);
    const gguf::value steps = read_.array(normalizer_steps::key, gguf::value_type::string);
    o.steps = normalizer_steps(steps.bytes, steps.count);
    if (read_.done())
      if (const auto sound = o.steps.check(storage_); !sound) read_.fail(sound.error().code, normalizer_steps::key);
    return o;
  }

  result<std::optional<tokenizer>> make(const gguf::value& tokens, const tokenizer_options& o) noexcept {
    const gguf::value offsets = required("dupq.vocab.offsets", gguf::value_type::u32);
    const gguf::value contents = read_.array("dupq.tokenizer.added_tokens", gguf::value_type::string);
    const gguf::value ids = read_.array("dupq.tokenizer.added_ids", gguf::value_type::u32);
    const gguf::value flags = read_.array("dupq.tokenizer.added_flags", gguf::value_type::u32);
    if (!read_.done()) return read_.done().error();
    const auto words = vocabulary::list(tokens.bytes, tokens.count, offsets.bytes);
    if (!words) return words.error();
    const auto added = added_tokens::view(contents.bytes, ids.bytes, flags.bytes, contents.count,
                                          static_cast<std::size_t>(tokens.count));
    if (!added) return added.error();
    const auto made = tokenizer::make(*words, o, *added);
    if (!made) return made.error();
    return std::optional<tokenizer>(*made);
  }

  metadata_reader read_;
  arena& storage_;
};

}  // namespace dupq::inline DUPQ_ABI
