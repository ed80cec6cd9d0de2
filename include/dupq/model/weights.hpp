// The one place that knows the tensors of a model file: their names, shapes and layouts become a `transformer`.
//
// Matrices of a packed file are used where they lie. Others are repacked into `storage`, as are those in half precision
// but for a GPU.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <type_traits>

#include "../core/arena.hpp"
#include "../core/config.hpp"
#include "../core/error.hpp"
#include "../core/gguf.hpp"
#include "../device/widen.hpp"
#include "name_buffer.hpp"
#include "transformer.hpp"
#include "weight_checks.hpp"

namespace dupq::inline DUPQ_ABI {

/// The bucket of MPNet's relative attention bias for key - query: exact below 8, then logarithmic to 128; the upper 16
/// are for later keys. The bounds are where 8 + 8 ln(n / 8) / ln 16 passes a whole number.
constexpr std::size_t relative_bucket(std::ptrdiff_t distance) noexcept {
  constexpr std::ptrdiff_t bounds[8] = {8, 12, 16, 23, 32, 46, 64, 91};
  const std::ptrdiff_t n = distance < 0 ? -distance : distance;
  std::size_t bucket = n < 8 ? static_cast<std::size_t>(n) : 7;
  for (const std::ptrdiff_t bound : bounds) bucket += n >= bound ? 1u : 0u;
  return bucket + (distance > 0 ? 16u : 0u);
}

class weight_reader;

/// Reads a matrix and its bias in a way of its own; false: they are to be read as usual. See keep_halves.
using matrix_reader = bool (*)(weight_reader&, std::initializer_list<name_buffer>, linear<host_memory>&) noexcept;

/// Fills a transformer from a file. With an arena that has no memory it only checks names and shapes and counts bytes.
class weight_reader {
 public:
  weight_reader(const gguf::file& file, const config& c, bool packed, arena& storage, bool check_finite = true,
                matrix_reader halves = nullptr) noexcept
      : file_(file),
        config_(c),
        packed_(packed),
        storage_(storage),
        finite_(check_finite && storage.has_memory()),
        halves_(halves) {}

  result<void> read(transformer<host_memory>& to) noexcept {
    const config& c = config_;
    to_ = &to;
    to.embedding.words = rows("token_embd.weight", c.vocabulary);
    to.embedding.positions = rows("position_embd.weight", c.positions);
    if (c.token_types != 0) to.embedding.types = rows("token_types.weight", c.token_types);
    to.embedding.norm = norm("token_embd_norm");
    auto* const layers = storage_.take<layer<host_memory>>(c.layers);
    for (std::uint32_t n = 0; n < c.layers && done_; ++n) {
      const auto in_block = [&](const char* rest) { return name_buffer::in_layer(n, rest); };
      layer<host_memory> one;
      if (packed_)
        one.attention.qkv = matrix_of({in_block("attn_qkv")}, 3 * c.hidden, c.hidden);
      else
        one.attention.qkv =
            matrix_of({in_block("attn_q"), in_block("attn_k"), in_block("attn_v")}, 3 * c.hidden, c.hidden);
      one.attention.output = matrix_of({in_block("attn_output")}, c.hidden, c.hidden);
      one.attention.norm = norm(in_block("attn_output_norm"));
      one.feed_forward.up = matrix_of({in_block("ffn_up")}, c.intermediate, c.hidden);
      one.feed_forward.down = matrix_of({in_block("ffn_down")}, c.hidden, c.intermediate);
      one.feed_forward.norm = norm(in_block("layer_output_norm"));
      if (layers != nullptr) layers[n] = one;
    }
    to.layers = {layers, layers == nullptr ? 0 : c.layers};
    if (c.kind == model_kind::cross_encoder) {
      to.head.dense = matrix_of({name_buffer("cls")}, c.hidden, c.hidden);
      to.head.classifier = matrix_of({name_buffer("cls.output")}, 1, c.hidden, false);
    }
    if (c.relative_buckets != 0) relative(to);
    return done_;
  }

 private:
  using linear = dupq::linear<host_memory>;
  friend bool keep_halves(weight_reader&, std::initializer_list<name_buffer>, linear&) noexcept;

  DUPQ_NOINLINE void fail(errc code, std::string_view name, std::uint64_t expected = 0,
                          std::uint64_t found = 0) noexcept {
    if (done_) done_ = error(code, name, expected, found);
  }

  /// The tensor of that name, if it has this shape (innermost extent first) and one of the row formats, or
  /// that type of integers.
  std::optional<gguf::tensor> find(std::string_view name, std::initializer_list<std::uint64_t> shape,
                                   std::optional<gguf::tensor_type> integers = {}) noexcept {
    if (!done_) return {};
    const auto t = file_.tensor(name, place_);
    if (!t) return fail(errc::missing_tensor, name), std::nullopt;
    if (t->dimensions != shape.size())
      return fail(errc::wrong_dimensions, name, shape.size(), t->dimensions), std::nullopt;
    std::size_t d = 0;
    for (const std::uint64_t extent : shape) {
      if (t->extent[d] != extent) return fail(errc::wrong_shape, name, extent, t->extent[d]), std::nullopt;
      ++d;
    }
    const bool known = t->type != gguf::tensor_type::i8 && t->type != gguf::tensor_type::i32;
    if (integers ? t->type != *integers : !known)
      return fail(errc::wrong_type, name, 0, static_cast<std::uint64_t>(t->type)), std::nullopt;
    const std::size_t aligned = t->type == gguf::tensor_type::f32 || t->type == gguf::tensor_type::i32 ? 4 : 1;
    if (reinterpret_cast<std::uintptr_t>(t->bytes.data()) % aligned != 0)
      return fail(errc::not_aligned, name, aligned), std::nullopt;
    return t;
  }
  static row_format format(gguf::tensor_type t) noexcept {
    return t == gguf::tensor_type::f32    ? row_format::f32
           : t == gguf::tensor_type::f16  ? row_format::f16
           : t == gguf::tensor_type::bf16 ? row_format::bf16
                                          : row_format::q8_0;
  }
  static const float* floats(const gguf::tensor& t) noexcept { return reinterpret_cast<const float*>(t.bytes.data()); }

  void check_finite(const gguf::tensor& t, std::size_t n, std::string_view name) noexcept {
    std::size_t where = 0;
    if (finite_ && !all_finite(t.bytes.data(), format(t.type), n, where)) fail(errc::not_finite, name, 0, where);
  }

  const float* vector(std::string_view name, std::size_t n) noexcept {
    const auto t = find(name, {n});
    if (!t) return nullptr;
    if (t->type != gguf::tensor_type::f32) return fail(errc::wrong_type, name), nullptr;
    check_finite(*t, n, name);
    return floats(*t);
  }
  layer_norm<host_memory> norm(std::string_view prefix) noexcept {
    return {vector(name_buffer(prefix, ".weight"), config_.hidden),
            vector(name_buffer(prefix, ".bias"), config_.hidden), config_.hidden, config_.norm_epsilon};
  }
  table<host_memory> rows(std::string_view name, std::size_t count) noexcept {
    const auto t = find(name, {config_.hidden, count});
    if (!t) return {};
    const std::size_t row_bytes = t->bytes.size() / count;
    check_finite(*t, count * config_.hidden, name);
    return {t->bytes.data(), format(t->type), count, row_bytes};
  }

  /// A matrix and its bias; several names are one matrix below the other.
  linear matrix_of(std::initializer_list<name_buffer> names, std::size_t outputs, std::size_t inputs,
                   bool may_be_integers = true) noexcept {
    linear to;
    to.outputs = outputs, to.inputs = inputs;
    const std::size_t panels = (outputs + panel_width - 1) / panel_width;
    if (config_.weights == weight_type::int8 && may_be_integers) return bytes_of(*names.begin(), to);
    if (halves_ != nullptr && halves_(*this, names, to)) return to;
    if (packed_) {
      const name_buffer weight(*names.begin(), ".weight");
      const auto t = find(weight, {panel_width, inputs, panels});
      if (!t) return to;
      if (t->type == gguf::tensor_type::q8_0) return fail(errc::wrong_type, weight), to;
      const std::size_t numbers = panels * inputs * panel_width;
      check_finite(*t, numbers, weight);
      if (t->type == gguf::tensor_type::f32) {
        to.panels = floats(*t);
      } else if (float* const wide = storage_.take<float>(numbers)) {
        widen(t->bytes.data(), format(t->type), numbers, wide);
        to.panels = wide;
      }
      to.bias = vector(name_buffer(*names.begin(), ".bias"), outputs);
      return to;
    }
    to.panels = pack_all<float>(names, to);
    return to;
  }

  /// Packs row-major matrices, one below the other, into panels of floats or of halves, and sets `to`'s bias.
  template <class Number>
  const Number* pack_all(std::initializer_list<name_buffer> names, linear& to) noexcept {
    const std::size_t outputs = to.outputs, inputs = to.inputs, each = outputs / names.size();
    const std::size_t padded = round_up(outputs, panel_width);
    Number* const panels = storage_.take<Number>(std::uint64_t{padded} * inputs);
    if (panels != nullptr)  // the last panel may have outputs that no matrix has
      std::fill_n(panels + (padded - panel_width) * inputs, panel_width * inputs, Number{});
    float* const bias = names.size() == 1 ? nullptr : storage_.take<float>(outputs);
    std::size_t first = 0;
    for (const name_buffer& name : names) {
      pack(name_buffer(name, ".weight"), first, each, inputs, panels);
      const float* const part = vector(name_buffer(name, ".bias"), each);
      if (bias != nullptr && part != nullptr) std::copy_n(part, each, bias + first);
      to.bias = bias == nullptr ? part : bias;
      first += each;
    }
    return panels;
  }

  /// A matrix of 8-bit integers, used where it lies; only packed files have them.
  linear bytes_of(std::string_view name, linear to) noexcept {
    const std::uint64_t panels = (to.outputs + panel_width - 1) / panel_width, groups = (to.inputs + 3) / 4;
    const name_buffer weight(name, ".weight"), sum(name, ".sum");
    const auto bytes = find(weight, {4 * panel_width, groups, panels}, gguf::tensor_type::i8);
    to.scales = vector(name_buffer(name, ".scale"), to.outputs);
    const auto sums = find(sum, {to.outputs}, gguf::tensor_type::i32);
    to.bias = vector(name_buffer(name, ".bias"), to.outputs);
    const name_buffer factor(name, ".input_scale");
    if (gguf::tensor_place ahead = place_; file_.tensor(factor, ahead)) to.factors = vector(factor, to.inputs);
    if (!bytes || !sums) return to;
    to.bytes = reinterpret_cast<const std::int8_t*>(bytes->bytes.data());
    to.sums = reinterpret_cast<const std::int32_t*>(sums->bytes.data());
    if (storage_.has_memory()) check_bytes(to, weight, sum);
    return to;
  }
  /// Larger weights would overflow the 16 bits that some instruction sets add two products in; pads must add nothing.
  void check_bytes(const linear& m, std::string_view weight, std::string_view sum) noexcept {
    const std::size_t groups = (m.inputs + 3) / 4, panels = (m.outputs + panel_width - 1) / panel_width;
    for (std::size_t p = 0; p < panels; ++p) {
      const std::int8_t* const last = m.bytes + ((p + 1) * groups - 1) * 4 * panel_width;  // the only one with pads
      std::int32_t sums[panel_width];
      bool fine = sum_panel(reinterpret_cast<const std::byte*>(m.bytes) + p * groups * 4 * panel_width, groups, sums);
      for (std::size_t i = 0; i < 4 * panel_width; ++i) fine &= last[i] == 0 || 4 * (groups - 1) + i % 4 < m.inputs;
      if (!fine) fail(errc::out_of_range, weight);
      for (std::size_t o = p * panel_width; o < m.outputs && o < (p + 1) * panel_width; ++o)
        if (m.sums[o] != sums[o % panel_width]) fail(errc::wrong_value, sum, 0, o);
    }
  }

  /// Row-major rows to panels.
  template <class Number>
  void pack(std::string_view name, std::size_t first, std::size_t count, std::size_t inputs, Number* panels) noexcept {
    const auto t = find(name, {inputs, count});
    if (!t || panels == nullptr) return;
    check_finite(*t, count * inputs, name);
    const std::size_t row_bytes = t->bytes.size() / count;
    for (std::size_t r = 0; r < count; ++r) {
      Number* const column = panels + (first + r) / panel_width * inputs * panel_width + (first + r) % panel_width;
      Number block[32];
      for (std::size_t i = 0; i < inputs; i += 32) {
        const std::size_t n = inputs - i < 32 ? inputs - i : 32;
        const std::byte* const from = t->bytes.data() + r * row_bytes + stored_bytes(format(t->type), i);
        if constexpr (std::is_same_v<Number, float>)
          widen(from, format(t->type), n, block);
        else
          std::memcpy(block, from, n * sizeof(Number));
        for (std::size_t j = 0; j < n; ++j) column[(i + j) * panel_width] = block[j];
      }
    }
  }

  void relative(transformer<host_memory>& to) noexcept {
    const std::string_view name = "attn_rel_b.weight";
    const auto t = find(name, {config_.heads, config_.relative_buckets});
    const std::size_t span = config_.max_length, width = 2 * span - 1;
    float* const expanded = storage_.take<float>(std::uint64_t{config_.heads} * width + panel_width);
    if (!t || expanded == nullptr) return;
    if (t->type != gguf::tensor_type::f32) return (void)fail(errc::wrong_type, name);
    check_finite(*t, std::size_t{config_.heads} * config_.relative_buckets, name);
    for (std::size_t head = 0; head < config_.heads; ++head)
      for (std::size_t i = 0; i < width; ++i) {
        const auto distance = static_cast<std::ptrdiff_t>(span - 1) - static_cast<std::ptrdiff_t>(i);
        expanded[head * width + i] = floats(*t)[relative_bucket(distance) * config_.heads + head];
      }
    std::fill_n(expanded + config_.heads * width, panel_width, 0.0f);
    to.relative = expanded;
    to.relative_span = span;
  }

  const gguf::file& file_;
  const config& config_;
  bool packed_;
  arena& storage_;
  gguf::tensor_place place_;  ///< tensors are asked for in the order that files mostly have
  bool finite_;               // weights must be: looked at once there is memory, when they are read for good
  transformer<host_memory>* to_ = nullptr;
  matrix_reader halves_;  ///< null, or how matrices in half precision are read
  result<void> done_;
};

/// Keeps matrices in half precision as they are: packed ones where they lie in the file, others in panels of halves. It
/// stands apart so that programs that do not ask for it do not contain it.
inline bool keep_halves(weight_reader& from, std::initializer_list<name_buffer> names,
                        linear<host_memory>& to) noexcept {
  gguf::tensor_place ahead = from.place_;
  for (const name_buffer& name : names) {
    const auto t = from.file_.tensor(name_buffer(name, ".weight"), ahead);
    if (!t || t->type != gguf::tensor_type::f16) return false;
  }
  from.to_->in_halves = true;
  if (!from.packed_) {
    to.halves = reinterpret_cast<const std::byte*>(from.pack_all<std::uint16_t>(names, to));
    return true;
  }
  const name_buffer weight(*names.begin(), ".weight");
  const std::size_t panels = round_up(to.outputs, panel_width) / panel_width;
  if (const auto t = from.find(weight, {panel_width, to.inputs, panels})) {
    from.check_finite(*t, panels * to.inputs * panel_width, weight);
    to.halves = t->bytes.data();
  }
  to.bias = from.vector(name_buffer(*names.begin(), ".bias"), to.outputs);
  return true;
}

}  // namespace dupq::inline DUPQ_ABI
