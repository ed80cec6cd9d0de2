// How large each part of a model may be. What reads model files refuses more, and so does what writes them: both have
// the numbers from here, so that a file that could be written can be opened.
#pragma once

#include <cstdint>

#include "config.hpp"

namespace dupq::inline DUPQ_ABI::model_limits {

inline constexpr std::uint32_t layers = 256, hidden = 65536, heads = 65536, intermediate = 1u << 20,
                               positions = 1u << 20, token_types = 1024, vocabulary = 1u << 24;

/// Characters of a word that is cut into pieces; the tokenizer has room for no more.
inline constexpr std::uint32_t word_chars = 200;
/// Bytes of a piece of a Unigram or BPE vocabulary.
inline constexpr std::uint32_t piece_bytes = 256;
/// Tokens that are cut out of a text before anything else, each looked for everywhere.
inline constexpr std::uint32_t added_tokens = 4096;

/// Inputs of a matrix of 8-bit integers: the sum of that many products of 255 and 64 fits 32 bits.
inline constexpr std::uint32_t integer_inputs = 0x7FFFFFFFu / (255 * 64);

/// The least max_length: the special tokens around a text or a pair, and one token of text.
constexpr std::uint32_t least_tokens(model_kind kind) noexcept { return kind == model_kind::cross_encoder ? 4 : 3; }

/// Of a model file: keys, tensors, letters of their names, numbers of a tensor.
inline constexpr std::uint64_t file_keys = 16384, file_tensors = 16384, file_name = 128,
                               file_elements = std::uint64_t{1} << 40;

// A layer has at most 24 tensors (four matrices of integers with five each, and two norms); a few more stand outside.
static_assert(24 * layers + 16 <= file_tensors);

}  // namespace dupq::inline DUPQ_ABI::model_limits
