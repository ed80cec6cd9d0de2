// The keys of a model file that describe the model: they become a `config` and a threshold.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "../core/config.hpp"
#include "../core/error.hpp"
#include "../core/gguf.hpp"
#include "../core/model_limits.hpp"
#include "../core/prefix.hpp"
#include "name_buffer.hpp"

namespace dupq::inline DUPQ_ABI {

/// Reads typed values by key and remembers the first failure, so that a list of reads needs one check at its end.
/// A key that begins with a dot belongs to the model's architecture, whose name stands before it in the file.
class metadata_reader {
 public:
  explicit metadata_reader(const gguf::file& file, std::string_view architecture = {}) noexcept
      : file_(file), architecture_(architecture) {}

  /// An unsigned integer of any width within [low, high]; `fallback` where the key is absent, an error without one.
  std::uint32_t integer(const char* key, std::uint32_t low, std::uint32_t high,
                        std::optional<std::uint32_t> fallback = {}) noexcept {
    const auto v = find(key);
    if (!v) return absent(key, fallback);
    std::uint64_t n = 0;
    switch (v->type) {
      case gguf::value_type::u8: n = gguf::load<std::uint8_t>(v->bytes.data()); break;
      case gguf::value_type::u16: n = gguf::load<std::uint16_t>(v->bytes.data()); break;
      case gguf::value_type::u32: n = gguf::load<std::uint32_t>(v->bytes.data()); break;
      case gguf::value_type::u64: n = gguf::load<std::uint64_t>(v->bytes.data()); break;
      case gguf::value_type::i32: n = static_cast<std::uint64_t>(gguf::load<std::int32_t>(v->bytes.data())); break;
      default: fail(errc::wrong_type, key); return low;
    }
    if (n < low || n > high) return fail(errc::out_of_range, key, n < low ? low : high, n), low;
    return static_cast<std::uint32_t>(n);
  }
  bool boolean(const char* key, std::optional<bool> fallback) noexcept {
    const auto v = typed(key, gguf::value_type::boolean);
    if (!v) return absent(key, fallback);
    return gguf::load<std::uint8_t>(v->bytes.data()) != 0;
  }
  std::optional<float> number(const char* key) noexcept {
    const auto v = typed(key, gguf::value_type::f32);
    if (!v) return {};
    const auto x = gguf::load<float>(v->bytes.data());
    if (!std::isfinite(x)) fail(errc::not_finite, key);
    return x;
  }
  std::string_view text(const char* key, std::optional<std::string_view> fallback) noexcept {
    const auto v = typed(key, gguf::value_type::string);
    return v ? v->text() : absent(key, fallback);
  }
  /// Which of `names` the text is, the first one where the key is absent.
  std::size_t choice(const char* key, std::span<const std::string_view> names) noexcept {
    const std::string_view chosen = text(key, names[0]);
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] == chosen) return i;
    fail(errc::wrong_value, key);
    return 0;
  }
  /// An array of `element`; empty where the key is absent.
  gguf::value array(const char* key, gguf::value_type element) noexcept {
    const auto v = typed(key, gguf::value_type::array);
    if (!v) return {};
    if (v->element != element) fail(errc::wrong_type, key);
    return *v;
  }
  const gguf::file& file() const noexcept { return file_; }
  bool has(const char* key) const noexcept { return find(key).has_value(); }
  DUPQ_NOINLINE void fail(errc code, const char* key, std::uint64_t expected = 0, std::uint64_t found = 0) noexcept {
    if (done_) done_ = error(code, full_name(key), expected, found);
  }
  /// Whether all went well so far; else the first error.
  const result<void>& done() const noexcept { return done_; }

 private:
  name_buffer full_name(const char* key) const noexcept {
    return name_buffer(*key == '.' ? architecture_ : std::string_view(), key);
  }
  std::optional<gguf::value> find(const char* key) const noexcept { return file_.find(full_name(key)); }
  std::optional<gguf::value> typed(const char* key, gguf::value_type type) noexcept {
    const auto v = find(key);
    if (!v || v->type == type) return v;
    fail(errc::wrong_type, key);
    return {};
  }
  template <class T>
  T absent(const char* key, const std::optional<T>& fallback) noexcept {
    if (!fallback) fail(errc::missing_key, key);
    return fallback.value_or(T{});
  }

  const gguf::file& file_;
  std::string_view architecture_;
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
  for (unsigned bits = 0; bits < 8; ++bits)
    if (pooling_names[bits] == text) return pooling{(bits & 4) != 0, (bits & 2) != 0, (bits & 1) != 0};
  return {};
}

/// Files of version 2 have settings beside these (rare_settings.hpp); where `others` reads them, they pass.
inline result<config> read_config(const gguf::file& file, const file_format& format, bool others = false) noexcept {
  namespace most = model_limits;
  metadata_reader read(file, name(format.architecture));
  const bool rare = read.integer("dupq.version", 1, others ? 2 : 1, 1) == 2;
  config c;
  c.architecture = format.architecture;
  static constexpr struct {
    const char* key;
    std::uint32_t config::*size, most;
  } sizes[] = {{".block_count", &config::layers, most::layers},
               {".embedding_length", &config::hidden, most::hidden},
               {".attention.head_count", &config::heads, most::heads},
               {".feed_forward_length", &config::intermediate, most::intermediate},
               {".context_length", &config::positions, most::positions}};
  for (const auto& one : sizes) c.*one.size = read.integer(one.key, 1, one.most);
  constexpr const char* epsilon_key = ".attention.layer_norm_epsilon";
  const auto epsilon = read.number(epsilon_key);
  if (!epsilon) read.fail(errc::missing_key, epsilon_key);
  c.norm_epsilon = epsilon.value_or(0.0f);
  if (c.norm_epsilon < 0) read.fail(errc::wrong_value, epsilon_key);
  if (read.boolean(".attention.causal", false)) read.fail(errc::unsupported, ".attention.causal");
  const bool mpnet = c.architecture == architecture::mpnet;
  const std::uint32_t buckets = mpnet ? 32 : 0;
  c.position_offset = read.integer("dupq.position_offset", 0, 2, mpnet ? 2 : 0);
  c.relative_buckets = read.integer("dupq.relative_buckets", buckets, buckets, buckets);
  c.token_types = mpnet ? 0 : read.integer("tokenizer.ggml.token_type_count", 1, most::token_types, 2);

  static constexpr std::string_view weights[] = {"f32", "f16", "int8"};  // halves are widened when they are loaded
  if (read.choice("dupq.weights", weights) == 2) {
    c.weights = weight_type::int8;
    if (!format.packed) read.fail(errc::unsupported, "dupq.weights");
    if (c.intermediate > most::integer_inputs)
      read.fail(errc::out_of_range, ".feed_forward_length", most::integer_inputs, c.intermediate);
  }
  static constexpr std::string_view kinds[] = {name(model_kind::bi_encoder), name(model_kind::cross_encoder)};
  c.kind = static_cast<model_kind>(read.choice("dupq.kind", kinds));

  // Files that llama.cpp wrote know one pooling number and nothing of lengths or normalisation.
  static constexpr std::string_view numbered[] = {"none", "mean", "cls", "none", "none"};
  const std::uint32_t number = read.integer(".pooling_type", 0, 4, 0);
  if (number == 4 && !read.has("dupq.kind")) read.fail(errc::unsupported, ".pooling_type");
  const auto mode = parse_pooling(read.text("dupq.pooling", numbered[number]));
  c.pooling = mode.value_or(pooling{});
  if (!rare && (!mode || (c.kind == model_kind::bi_encoder && c.pooling.modes() == 0)))
    read.fail(errc::wrong_value, "dupq.pooling");
  c.normalize = read.boolean("dupq.normalize", true);
  static constexpr std::string_view activations[] = {name(score_activation::identity), name(score_activation::sigmoid)};
  c.activation = static_cast<score_activation>(read.choice("dupq.activation", activations));

  if (c.positions <= c.position_offset) read.fail(errc::out_of_range, ".context_length");
  if (!read.done()) return read.done().error();
  if (c.hidden % c.heads != 0) read.fail(errc::wrong_value, ".attention.head_count", 0, c.heads);
  const std::uint32_t longest = c.positions - c.position_offset;
  c.max_length = read.integer("dupq.max_length", most::least_tokens(c.kind), longest, longest);
  constexpr const char* tokens_key = "tokenizer.ggml.tokens";
  const gguf::value tokens = read.array(tokens_key, gguf::value_type::string);
  if (tokens.count == 0) read.fail(errc::missing_key, tokens_key);
  if (tokens.count > most::vocabulary) read.fail(errc::out_of_range, tokens_key, most::vocabulary, tokens.count);
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
