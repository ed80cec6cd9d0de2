// Static models in a model file: a table of vectors, one a token, whose mean is the vector of a text. There are no
// layers and no special tokens; several tokens may share a row, and a token may count for more or less.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "../core/config.hpp"
#include "../core/error.hpp"
#include "../core/gguf.hpp"
#include "../core/model_limits.hpp"
#include "../device/cpu/sum_rows.hpp"
#include "metadata.hpp"
#include "weight_checks.hpp"

namespace dupq::inline DUPQ_ABI {

/// What the file says of a static model beside its `config`.
struct static_table {
  token_rows tokens;
  bool drop_unknown = false;    ///< the unknown token is left out
  std::uint32_t max_chars = 0;  ///< characters of a text that are looked at; 0: all

  static constexpr std::string_view architecture = "dupq-static";
  static constexpr const char *rows_key = "dupq.static.rows", *weights_key = "dupq.static.weights",
                              *unknown_key = "dupq.static.drop_unknown", *chars_key = "dupq.static.max_chars";

  static bool is_in(const gguf::file& file) noexcept {
    const auto name = file.find("general.architecture");
    return name && name->type == gguf::value_type::string && name->text() == architecture;
  }

  /// The model in numbers; more of them are in rare_settings.hpp.
  static result<config> read_config(const gguf::file& file) noexcept {
    metadata_reader read(file, "static");
    config c;
    c.architecture = dupq::architecture::static_table;
    c.kind = model_kind::static_encoder;
    c.pooling.mean = true;
    (void)read.integer("dupq.version", 2, 2);
    c.hidden = read.integer(".embedding_length", 1, model_limits::hidden);
    c.max_length = read.integer("dupq.max_length", 3, limits::most_tokens);
    c.normalize = read.boolean("dupq.normalize", false);
    constexpr const char* tokens_key = "tokenizer.ggml.tokens";
    const gguf::value tokens = read.array(tokens_key, gguf::value_type::string);
    if (tokens.count == 0) read.fail(errc::missing_key, tokens_key);
    if (tokens.count > model_limits::vocabulary)
      read.fail(errc::out_of_range, tokens_key, model_limits::vocabulary, tokens.count);
    c.vocabulary = static_cast<std::uint32_t>(tokens.count);
    if (!read.done()) return read.done().error();
    return c;
  }

  /// The table where it lies in the file, its shape and its rows checked; `finite`: its numbers as well.
  static result<static_table> read(const gguf::file& file, const config& c, bool check, bool finite) noexcept {
    constexpr std::string_view name = "token_embd.weight";
    const auto t = file.tensor(name);
    if (!t) return error(errc::missing_tensor, name);
    if (t->dimensions != 2) return error(errc::wrong_dimensions, name, 2, t->dimensions);
    if (t->extent[0] != c.hidden) return error(errc::wrong_shape, name, c.hidden, t->extent[0]);
    static_table out;
    auto& rows = out.tokens.rows;
    switch (t->type) {
      case gguf::tensor_type::f32: rows.format = row_format::f32; break;
      case gguf::tensor_type::f16: rows.format = row_format::f16; break;
      case gguf::tensor_type::bf16: rows.format = row_format::bf16; break;
      case gguf::tensor_type::q8_0: rows.format = row_format::q8_0; break;
      default: return error(errc::wrong_type, name, 0, static_cast<std::uint64_t>(t->type));
    }
    metadata_reader read(file);
    const gguf::value row_of = read.array(rows_key, gguf::value_type::u32),
                      weights = read.array(weights_key, gguf::value_type::f32);
    out.drop_unknown = read.boolean(unknown_key, false);
    out.max_chars = read.integer(chars_key, 0, 0x7FFFFFFF, 0);
    if (!read.done()) return read.done().error();
    rows.count = static_cast<std::size_t>(t->extent[1]);
    rows.rows = t->bytes.data();
    if (rows.count == 0 || (row_of.count == 0 && rows.count != c.vocabulary))
      return error(errc::wrong_shape, name, c.vocabulary, rows.count);
    rows.row_bytes = t->bytes.size() / rows.count;
    out.tokens.dim = c.hidden;
    for (const auto& [list, key] : {pair{&row_of, rows_key}, {&weights, weights_key}})
      if (list->count != 0 && list->count != c.vocabulary)
        return error(errc::wrong_size, key, c.vocabulary, list->count);
    if (row_of.count != 0) out.tokens.row_of = row_of.bytes.data();
    if (weights.count != 0) out.tokens.weight_of = weights.bytes.data();
    if (!check) return out;
    for (std::size_t i = 0; i < row_of.count; ++i)
      if (const auto row = gguf::load<std::uint32_t>(row_of.bytes.data() + 4 * i); row >= rows.count)
        return error(errc::out_of_range, rows_key, rows.count, row);
    std::size_t where = 0;
    if (weights.count != 0 && !all_finite(weights.bytes.data(), row_format::f32, c.vocabulary, where))
      return error(errc::not_finite, weights_key, 0, where);
    if (finite && !all_finite(rows.rows, rows.format, rows.count * out.tokens.dim, where))
      return error(errc::not_finite, name, 0, where);
    return out;
  }

 private:
  struct pair {
    const gguf::value* list;
    const char* key;
  };
};

}  // namespace dupq::inline DUPQ_ABI
