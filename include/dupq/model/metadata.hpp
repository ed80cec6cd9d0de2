// The keys of a model file that describe the model: they become a `config` and a threshold.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "../core/config.hpp"
#include "../core/error.hpp"
#include "../core/gguf.hpp"
#include "../core/model_limits.hpp"
#include "../core/prefix.hpp"
#include "name_buffer.hpp"

namespace dupq::inline DUPQ_ABI {

/// Reads typed values by key and remembers the first failure, so that a list of reads needs one check at its end.
class metadata_reader {
 public:
  explicit metadata_reader(const gguf::file& file) noexcept : file_(file) {}

  /// An unsigned integer of any width within [low, high]; `fallback` where the key is absent, an error without one.
  std::uint32_t integer(std::string_view key, std::uint32_t low, std::uint32_t high,
                        std::optional<std::uint32_t> fallback = {}) noexcept {
    const auto v = file_.find(key);
    if (!v) return absent(key, fallback);
    std::uint64_t n = 0;
    switch (v->type) {
      case gguf::value_type::u8: n = gguf::load<std::uint8_t>(v->bytes.data()); break;
      case gguf::value_type::u16: n = gguf::load<std::uint16_t>(v->bytes.data()); break;
      case gguf::value_type::u32: n = gguf::load<std::uint32_t>(v->bytes.data()); break;
      case gguf::value_type::u64: n = gguf::load<std::uint64_t>(v->bytes.data()); break;
      case gguf::value_type::i32: n = static_cast<std::uint64_t>(gguf::load<std::int32_t>(v->bytes.data())); break;
      default: fail(error(errc::wrong_type, key)); return low;
    }
    if (n < low || n > high) return fail(error(errc::out_of_range, key, n < low ? low : high, n)), low;
    return static_cast<std::uint32_t>(n);
  }
  bool boolean(std::string_view key, std::optional<bool> fallback) noexcept {
    const auto v = typed(key, gguf::value_type::boolean);
    if (!v) return absent(key, fallback);
    return gguf::load<std::uint8_t>(v->bytes.data()) != 0;
  }
  std::optional<float> number(std::string_view key) noexcept {
    const auto v = typed(key, gguf::value_type::f32);
    if (!v) return {};
    const auto x = gguf::load<float>(v->bytes.data());
    if (!std::isfinite(x)) fail(error(errc::not_finite, key));
    return x;
  }
  std::string_view text(std::string_view key, std::optional<std::string_view> fallback) noexcept {
    const auto v = typed(key, gguf::value_type::string);
    return v ? v->text() : absent(key, fallback);
  }
  /// An array of `element`; empty where the key is absent.
  gguf::value array(std::string_view key, gguf::value_type element) noexcept {
    const auto v = typed(key, gguf::value_type::array);
    if (!v) return {};
    if (v->element != element) fail(error(errc::wrong_type, key));
    return *v;
  }
  bool has(std::string_view key) const noexcept { return file_.find(key).has_value(); }
  void fail(const error& e) noexcept {
    if (done_) done_ = e;
  }
  /// Whether all went well so far; else the first error.
  const result<void>& done() const noexcept { return done_; }

 private:
  std::optional<gguf::value> typed(std::string_view key, gguf::value_type type) noexcept {
    const auto v = file_.find(key);
    if (!v || v->type == type) return v;
    fail(error(errc::wrong_type, key));
    return {};
  }
  template <class T>
  T absent(std::string_view key, const std::optional<T>& fallback) noexcept {
    if (!fallback) fail(error(errc::missing_key, key));
    return fallback.value_or(T{});
  }

  const gguf::file& file_;
  result<void> done_;
};

/// What `general.architecture` says. A packed file holds its matrices as the kernels read them (see device.hpp,
/// linear).
struct file_format {
  dupq::architecture architecture = architecture::bert;
  bool packed = false;
};

inline result<file_format> read_format(const gguf::file& file) noexcept {
  metadata_reader read(file);
  const std::string_view text = read.text("general.architecture", {});
  if (!read.done()) return read.done().error();
  for (const architecture a : {architecture::bert, architecture::mpnet}) {
    if (text == name(a)) return file_format{a, false};
    if (begins_with(text, "dupq-") && after(text, 5) == name(a)) return file_format{a, true};
  }
  return error(errc::unsupported, "general.architecture");
}

inline std::optional<pooling> parse_pooling(std::string_view text) noexcept {
  for (unsigned bits = 0; bits < 8; ++bits) {
    const pooling p{.cls = (bits & 4) != 0, .max = (bits & 2) != 0, .mean = (bits & 1) != 0};
    if (name(p) == text) return p;
  }
  return {};
}

/// Files of version 2 have settings beside these (rare_settings.hpp); where `others` reads them, they pass.
inline result<config> read_config(const gguf::file& file, const file_format& format, bool others = false) noexcept {
  namespace most = model_limits;
  metadata_reader read(file);
  const auto key = [&](std::string_view rest) { return name_buffer(name(format.architecture), rest); };
  const bool rare = read.integer("dupq.version", 1, others ? 2 : 1, 1) == 2;
  config c;
  c.architecture = format.architecture;
  c.layers = read.integer(key(".block_count"), 1, most::layers);
  c.hidden = read.integer(key(".embedding_length"), 1, most::hidden);
  c.heads = read.integer(key(".attention.head_count"), 1, most::heads);
  c.intermediate = read.integer(key(".feed_forward_length"), 1, most::intermediate);
  c.positions = read.integer(key(".context_length"), 1, most::positions);
  const auto epsilon = read.number(key(".attention.layer_norm_epsilon"));
  if (!epsilon) read.fail(error(errc::missing_key, key(".attention.layer_norm_epsilon")));
  c.norm_epsilon = epsilon.value_or(0.0f);
  if (c.norm_epsilon < 0) read.fail(error(errc::wrong_value, key(".attention.layer_norm_epsilon")));
  if (read.boolean(key(".attention.causal"), false)) read.fail(error(errc::unsupported, key(".attention.causal")));
  const bool mpnet = c.architecture == architecture::mpnet;
  c.position_offset = read.integer("dupq.position_offset", 0, 2, mpnet ? 2 : 0);
  c.relative_buckets = read.integer("dupq.relative_buckets", mpnet ? 32 : 0, mpnet ? 32 : 0, mpnet ? 32 : 0);
  c.token_types = mpnet ? 0 : read.integer("tokenizer.ggml.token_type_count", 1, most::token_types, 2);

  const std::string_view weights = read.text("dupq.weights", "f32");
  if (weights != "f32" && weights != "f16" && weights != "int8") read.fail(error(errc::wrong_value, "dupq.weights"));
  c.weights = weights == "int8" ? weight_type::int8 : weight_type::f32;  // halves are widened when they are loaded
  if (c.weights == weight_type::int8 && !format.packed) read.fail(error(errc::unsupported, "dupq.weights"));
  if (c.weights == weight_type::int8 && c.intermediate > most::integer_inputs)
    read.fail(error(errc::out_of_range, key(".feed_forward_length"), most::integer_inputs, c.intermediate));
  const std::string_view kind = read.text("dupq.kind", name(model_kind::bi_encoder));
  if (kind != name(model_kind::bi_encoder) && kind != name(model_kind::cross_encoder))
    read.fail(error(errc::wrong_value, "dupq.kind"));
  c.kind = kind == name(model_kind::cross_encoder) ? model_kind::cross_encoder : model_kind::bi_encoder;

  // Files that llama.cpp wrote know one pooling number and nothing of lengths or normalisation.
  constexpr std::string_view numbered[3] = {"none", "mean", "cls"};
  const std::uint32_t number = read.integer(key(".pooling_type"), 0, 4, 0);
  if (number == 4 && !read.has("dupq.kind")) read.fail(error(errc::unsupported, key(".pooling_type")));
  const auto mode = parse_pooling(read.text("dupq.pooling", number < 3 ? numbered[number] : "none"));
  c.pooling = mode.value_or(pooling{});
  if (!rare && (!mode || (c.kind == model_kind::bi_encoder && c.pooling.modes() == 0)))
    read.fail(error(errc::wrong_value, "dupq.pooling"));
  c.normalize = read.boolean("dupq.normalize", true);
  const std::string_view act = read.text("dupq.activation", "identity");
  if (act != name(score_activation::identity) && act != name(score_activation::sigmoid))
    read.fail(error(errc::wrong_value, "dupq.activation"));
  c.activation = act == "sigmoid" ? score_activation::sigmoid : score_activation::identity;

  if (c.positions <= c.position_offset) read.fail(error(errc::out_of_range, key(".context_length")));
  if (!read.done()) return read.done().error();
  if (c.hidden % c.heads != 0) return error(errc::wrong_value, key(".attention.head_count"), 0, c.heads);
  const std::uint32_t longest = c.positions - c.position_offset;
  c.max_length = read.integer("dupq.max_length", most::least_tokens(c.kind), longest, longest);
  const gguf::value tokens = read.array("tokenizer.ggml.tokens", gguf::value_type::string);
  if (tokens.count == 0) read.fail(error(errc::missing_key, "tokenizer.ggml.tokens"));
  if (tokens.count > most::vocabulary)
    read.fail(error(errc::out_of_range, "tokenizer.ggml.tokens", most::vocabulary, tokens.count));
  c.vocabulary = static_cast<std::uint32_t>(tokens.count);
  if (!read.done()) return read.done().error();
  return c;
}

inline result<std::optional<float>> read_threshold(const gguf::file& file) noexcept {
  metadata_reader read(file);
  const auto threshold = read.number("dupq.threshold");
  if (!read.done()) return read.done().error();
  return threshold;
}

}  // namespace dupq::inline DUPQ_ABI
