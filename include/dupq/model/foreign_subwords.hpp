// Byte-level BPE and Unigram tokenizers of files that llama.cpp's converter wrote: pieces, merges, scores and a map of
// characters, as texts and numbers. What our own files have ready is made of them in the model's storage.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <span>
#include <string_view>

#include "../core/arena.hpp"
#include "../core/copy_bytes.hpp"
#include "../core/error.hpp"
#include "../core/gguf.hpp"
#include "../core/model_limits.hpp"
#include "../core/prefix.hpp"
#include "../text/bpe_builder.hpp"
#include "../text/bpe_text.hpp"
#include "../text/charsmap.hpp"
#include "../text/piece_trie_builder.hpp"
#include "../text/unigram_text.hpp"
#include "../text/vocabulary.hpp"
#include "../text/wordpiece.hpp"
#include "metadata.hpp"

namespace dupq::inline DUPQ_ABI {

/// With an arena that has no memory it only counts bytes and gives no tokenizer.
class foreign_subwords {
 public:
  /// Whether a file's tokenizer is in no form of ours.
  static bool is_in(const metadata_reader& keys) noexcept {
    return !keys.has("dupq.vocab.offsets") && !keys.has("dupq.tokenizer.added_tokens");
  }

  foreign_subwords(const gguf::file& file, arena& storage) noexcept : read_(file), storage_(storage) {}

  /// "gpt2", whose words are cut as RoBERTa and GPT-2 do it.
  result<std::optional<tokenizer>> read_bpe() noexcept {
    const std::string_view words = read_.text("tokenizer.ggml.pre", {});
    if (words != "roberta-bpe" && words != "gpt-2") read_.fail(errc::unsupported, "tokenizer.ggml.pre");
    constexpr const char* lowercase = "tokenizer.ggml.normalizer.lowercase";
    if (read_.boolean(lowercase, false)) read_.fail(errc::unsupported, lowercase);
    const bool prefix = read_.boolean("tokenizer.ggml.add_space_prefix", false);
    const gguf::value merges = required(bpe_builder::merges_key, gguf::value_type::string);
    read_tokens(false);
    if (!read_.done()) return read_.done().error();
    auto* const model = storage_.take<bpe_model>(1);
    const auto merge_count = static_cast<std::size_t>(merges.count);
    auto* const letters = storage_.take<bpe::merge>(bpe::letter_pairs);
    const bpe_builder::tables tables(count_, merge_count, storage_);
    const room rest(*this);
    if (!storage_.fits() || !storage_.has_memory()) return std::optional<tokenizer>();
    const auto tokens = list_tokens(rest);
    if (!tokens) return tokens.error();
    auto made = bpe_builder::build(*tokens, merges.bytes, merge_count, tables);
    if (!made) return made.error();
    made->remember_letters(letters);
    options_.extension = &bpe_text, options_.pieces = ::new (static_cast<void*>(model)) bpe_model{*made, prefix, true};
    return make(*tokens, rest);
  }

  /// "t5", which is SentencePiece's Unigram.
  result<std::optional<tokenizer>> read_unigram() noexcept {
    scores_ = required(scores_key, gguf::value_type::f32);
    pre_tokenizer cut;
    const bool marks_first = read_.boolean("tokenizer.ggml.add_space_prefix", {});
    cut.metaspace = marks_first ? pre_tokenizer::marks::always : pre_tokenizer::marks::never;
    cut.split_blanks = read_.boolean("tokenizer.ggml.remove_extra_whitespaces", {}), cut.split_marks = true;
    read_tokens(true);
    if (scores_.count != count_) read_.fail(errc::wrong_size, scores_key, count_, scores_.count);
    if (!read_.done()) return read_.done().error();
    auto* const model = storage_.take<unigram_model>(1);
    const auto map = read_map();
    if (!map) return map.error();
    const piece_room pieces(*this);
    const room rest(*this);
    if (!storage_.fits() || !storage_.has_memory()) return std::optional<tokenizer>();
    options_.steps = *map;
    const auto tokens = list_tokens(rest);
    if (!tokens) return tokens.error();
    const auto made = make_pieces(*tokens, pieces);
    if (!made) return made.error();
    options_.extension = &unigram_text;
    options_.pieces =
        ::new (static_cast<void*>(model)) unigram_model{*made, cut, unigram_reading::keeps_ascii(cut, options_.steps)};
    return make(*tokens, rest);
  }

 private:
  static constexpr char tokens_key[] = "tokenizer.ggml.tokens", types_key[] = "tokenizer.ggml.token_type",
                        scores_key[] = "tokenizer.ggml.scores", mask_key[] = "tokenizer.ggml.mask_token_id";
  /// The format's types of tokens, where they mean something here.
  enum token_type : std::int32_t { unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

  /// The offsets of the tokens, and the list of those that are looked for in a text before anything else.
  struct room {
    std::uint32_t *offsets, *ids, *flags;
    std::byte* contents;
    std::size_t added = 0, added_bytes = 0;

    explicit room(foreign_subwords& of) noexcept : offsets(of.storage_.take<std::uint32_t>(of.count_)) {
      of.for_each_added(
          [&](std::uint32_t, std::string_view text, std::uint32_t) { ++added, added_bytes += 8 + text.size(); });
      ids = of.storage_.take<std::uint32_t>(added), flags = of.storage_.take<std::uint32_t>(added);
      contents = of.storage_.take<std::byte>(added_bytes);
    }
  };
  /// What a Unigram vocabulary is made of.
  struct piece_room {
    std::span<double> scores;
    piece_trie_builder::entry* entries;
    std::span<std::uint64_t> trie, scratch;

    explicit piece_room(foreign_subwords& of) noexcept
        : scores(take<double>(of.count_, of)), entries(of.storage_.take<piece_trie_builder::entry>(of.count_)) {
      const std::uint64_t units = piece_trie_builder::units_for(of.tokens_.bytes.size() - 8 * of.count_);
      trie = take<std::uint64_t>(units, of);
      scratch = take<std::uint64_t>(piece_trie_builder::scratch_for(units), of);
    }

   private:
    template <class T>
    static std::span<T> take(std::uint64_t n, foreign_subwords& of) noexcept {
      return {of.storage_.take<T>(n), static_cast<std::size_t>(n)};
    }
  };

  gguf::value required(const char* key, gguf::value_type element) noexcept {
    const gguf::value v = read_.array(key, element);
    if (v.count == 0) read_.fail(errc::missing_key, key);
    return v;
  }

  void read_tokens(bool needs_unknown) noexcept {
    tokens_ = required(tokens_key, gguf::value_type::string);
    count_ = static_cast<std::size_t>(tokens_.count);
    types_ = required(types_key, gguf::value_type::i32);
    if (types_.count != tokens_.count) read_.fail(errc::wrong_size, types_key, tokens_.count, types_.count);
    if (!read_.done()) return;
    const auto last = static_cast<std::uint32_t>(count_ - 1);
    const auto id = [&](const char* key, const char* or_else, std::optional<std::uint32_t> fallback = {}) {
      return static_cast<std::int32_t>(read_.integer(read_.has(key) ? key : or_else, 0, last, fallback));
    };
    options_.cls = id("tokenizer.ggml.cls_token_id", "tokenizer.ggml.bos_token_id");
    options_.sep = id("tokenizer.ggml.seperator_token_id", "tokenizer.ggml.eos_token_id");
    constexpr const char *unknown_key = "tokenizer.ggml.unknown_token_id", *pad_key = "tokenizer.ggml.padding_token_id";
    options_.unk = needs_unknown ? id(unknown_key, unknown_key) : id(unknown_key, unknown_key, 0);
    options_.pad = id(pad_key, pad_key, 0);
    if (read_.has(mask_key)) mask_ = static_cast<std::uint32_t>(id(mask_key, mask_key));
    options_.pair_separators = 2;
    for (std::uint32_t i = 0; i <= last; ++i)
      if (type_of(i) == byte) return read_.fail(errc::unsupported, types_key, 0, byte);
  }
  std::int32_t type_of(std::size_t id) const noexcept { return gguf::load<std::int32_t>(types_.bytes.data() + id * 4); }

  /// Calls f(id, text, flags) for the special and the added tokens.
  template <class F>
  void for_each_added(F&& f) const noexcept {
    const std::byte* p = tokens_.bytes.data();
    for (std::uint32_t id = 0; id < count_; ++id) {
      const auto length = static_cast<std::size_t>(gguf::load<std::uint64_t>(p));
      std::string_view text(reinterpret_cast<const char*>(p + 8), length);
      p += 8 + length;
      const std::int32_t type = type_of(id);
      const bool is_mask = id == mask_;
      if (type != unknown && type != control && type != user_defined && !is_mask) continue;
      // Files that were made of a sentencepiece.model have a placeholder for it.
      if (is_mask && begins_with(text, "[PAD")) text = "<mask>";
      if (text.empty()) continue;
      // Of RoBERTa and XLM-RoBERTa it takes the blanks before it.
      f(id, text, is_mask ? added_tokens::lstrip : type == user_defined ? added_tokens::normalized : 0);
    }
  }

  result<vocabulary> list_tokens(const room& to) noexcept {
    std::uint64_t place = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      to.offsets[i] = static_cast<std::uint32_t>(place);
      place += 8 + gguf::load<std::uint64_t>(tokens_.bytes.data() + place);
    }
    return vocabulary::list(tokens_.bytes, tokens_.count, std::as_bytes(std::span(to.offsets, count_)));
  }

  /// SentencePiece's map of characters, where the file has one, as the step of a normaliser.
  result<normalizer_steps> read_map() noexcept {
    constexpr const char* key = "tokenizer.ggml.precompiled_charsmap";
    if (!read_.has(key)) return normalizer_steps();
    const auto v = read_.file().find(key);
    const bool bytes = v->type == gguf::value_type::array &&
                       (v->element == gguf::value_type::u8 || v->element == gguf::value_type::i8);
    if (!bytes) return error(errc::wrong_type, key);
    if (!charsmap::is_sound(v->text())) return error(errc::wrong_value, key);
    const charsmap map(v->text());
    auto* const ways = storage_.take<std::uint64_t>(charsmap_ways::words(map));
    if (ways != nullptr && !charsmap_ways::check(map, ways)) return error(errc::wrong_value, key);
    constexpr std::string_view name = "precompiled";
    auto* const to = storage_.take<std::byte>(16 + name.size() + v->count);
    if (to == nullptr) return normalizer_steps();
    std::byte* p = to;
    for (const std::string_view part : {name, v->text()}) {
      const std::uint64_t size = part.size();
      std::memcpy(p, &size, 8);
      copy_bytes(p + 8, part.data(), part.size());
      p += 8 + part.size();
    }
    return normalizer_steps({to, p}, 2);
  }

  result<unigram> make_pieces(const vocabulary& tokens, const piece_room& to) const noexcept {
    std::size_t pieces = 0;
    unigram::settings s;
    s.unknown = options_.unk;
    for (std::uint32_t id = 0; id < count_; ++id) {
      const std::string_view piece = tokens.token(id);
      const double score = double{gguf::load<float>(scores_.bytes.data() + std::size_t{id} * 4)};
      if (!std::isfinite(score)) return error(errc::not_finite, scores_key, ~std::uint64_t{0}, id);
      to.scores[id] = score;
      if (type_of(id) == unused || piece.empty()) continue;
      if (piece.size() > model_limits::piece_bytes)
        return error(errc::out_of_range, tokens_key, model_limits::piece_bytes, piece.size());
      if (piece.size() > s.longest) s.longest = static_cast<std::uint32_t>(piece.size());
      to.entries[pieces++] = {piece, id, type_of(id) == control || type_of(id) == unknown};
    }
    if (pieces == 0) return error(errc::wrong_value, types_key, 0, unused);
    // Rows without a piece are never found; they have a score that is one of the others, so that it changes nothing.
    for (std::uint32_t id = 0; id < count_; ++id)
      if (type_of(id) == unused || tokens.token(id).empty()) to.scores[id] = to.scores[to.entries[0].id];
    const std::size_t used = piece_trie_builder::build({to.entries, pieces}, to.trie, to.scratch);
    if (used == 0) return error(errc::bad_vocabulary, tokens_key);
    return unigram::view(std::as_bytes(to.trie.first(used)), std::as_bytes(to.scores), count_, s);
  }

  result<std::optional<tokenizer>> make(const vocabulary& tokens, const room& to) noexcept {
    std::size_t i = 0;
    std::byte* p = to.contents;
    for_each_added([&](std::uint32_t id, std::string_view text, std::uint32_t flags) {
      const std::uint64_t size = text.size();
      std::memcpy(p, &size, 8);
      copy_bytes(p + 8, text.data(), text.size());
      p += 8 + text.size();
      to.ids[i] = id, to.flags[i] = flags;
      ++i;
    });
    const auto numbers = [&](const std::uint32_t* from) { return std::as_bytes(std::span(from, to.added)); };
    const auto added =
        added_tokens::view({to.contents, to.added_bytes}, numbers(to.ids), numbers(to.flags), to.added, count_);
    if (!added) return added.error();
    const auto made = tokenizer::make(tokens, options_, *added);
    if (!made) return made.error();
    return std::optional<tokenizer>(*made);
  }

  metadata_reader read_;
  arena& storage_;
  gguf::value tokens_, types_, scores_;
  std::size_t count_ = 0;
  std::optional<std::uint32_t> mask_;
  tokenizer_options options_;
};

}  // namespace dupq::inline DUPQ_ABI
