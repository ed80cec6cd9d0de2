// A tokenizer as it was read from a folder, before it becomes keys of a model file.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hf_bpe.hpp"
#include "hf_subword.hpp"
#include "hf_vocabulary.hpp"

namespace dupq_tool {

/// Everything that turns a text into ids.
struct hf_tokenizer {
  std::string source;               ///< the file it comes from
  std::vector<std::string> pieces;  ///< by id, in Hugging Face's form ("##" continues a word); empty: no piece has it
  std::vector<added_token> added;   ///< by id; cut out of the text before anything else
  bool clean_text = true, split_cjk = true, lowercase = true, strip_accents = true;
  tokenizer_kind kind = tokenizer_kind::wordpiece;
  hf_unigram unigram;
  hf_bpe bpe;
  std::vector<std::string> steps;  ///< the normalizer in a model file's words where it is not BERT's
  std::uint32_t max_word_chars = 100;
  std::uint32_t pair_separators = 1;
  bool pairs_typed = true;  ///< the second text of a pair has a token type of its own
  std::uint32_t unk = 0, cls = 0, sep = 0, pad = 0;
  std::optional<std::uint32_t> mask;
  std::vector<std::string> notes;  ///< what the folder says and transformers does not follow

  /// Whether a model file of it is one that programs without rare settings refuse.
  bool is_rare() const noexcept { return kind != tokenizer_kind::wordpiece || !steps.empty(); }
  /// Where there is no normalizer, tokens that are looked for in normalised text are so in the text itself, unless
  /// others come before them there.
  void normalize_nothing() {
    if (kind != tokenizer_kind::bpe || !steps.empty()) return;
    const auto normalized = [](const added_token& a) { return a.is_normalized(); };
    if (!std::all_of(added.begin(), added.end(), normalized)) return;
    for (added_token& a : added) a.normalized = false;
  }
};

/// A list of strings as a model file has it.
inline std::string string_list(const std::vector<std::string>& strings) {
  std::string out;
  for (const std::string& s : strings) {
    const std::uint64_t n = s.size();
    out.append(reinterpret_cast<const char*>(&n), sizeof n).append(s);
  }
  return out;
}

}  // namespace dupq_tool
