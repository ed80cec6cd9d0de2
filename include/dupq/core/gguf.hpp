// Reads a GGUF v3 model file from bytes: validates everything once, then answers by name. Nothing is copied or
// allocated.
//
// Layout: magic, version, counts; key/value pairs; tensor descriptions; padding; tensor data. All little-endian, and
// nothing but the tensor data is aligned. See the GGUF specification in ggml's repository (docs/gguf.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "error.hpp"
#include "gguf_types.hpp"
#include "model_limits.hpp"
#include "sorted_window.hpp"

namespace dupq::inline DUPQ_ABI::gguf {

/// Limits that no real model comes near; they bound the work that a hostile file can ask for.
inline constexpr std::uint64_t max_keys = model_limits::file_keys, max_tensors = model_limits::file_tensors,
                               max_name = model_limits::file_name, max_elements = model_limits::file_elements;

/// Where a search for tensors goes on: behind the last one that was found, so that whoever asks for all of them in the
/// file's order reads their names once.
struct tensor_place {
  std::uint64_t number = 0;
  std::size_t at = 0;  ///< in the file; 0: at its first tensor
};

/// A validated view of a model file's bytes, which must outlive it.
class file {
 public:
  static result<file> parse(std::span<const std::byte> bytes) noexcept;

  std::optional<value> find(std::string_view key) const noexcept;
  std::optional<gguf::tensor> tensor(std::string_view name) const noexcept {
    tensor_place first;
    return tensor(name, first);
  }
  /// The same; the search begins at `from`, which then moves behind the tensor that was found.
  std::optional<gguf::tensor> tensor(std::string_view name, tensor_place& from) const noexcept;

  /// Calls f(key, value) in the file's order.
  template <class F>
  void for_each_key(F&& f) const {
    std::size_t at = header_bytes;
    for (std::uint64_t i = 0; i < keys_; ++i) {
      const std::size_t end = after_key(at);
      f(name_at(at), value_at(at, end));
      at = end;
    }
  }
  /// Calls f(tensor) in the file's order.
  template <class F>
  void for_each_tensor(F&& f) const {
    cursor c{bytes_, tensors_at_};
    for (std::uint64_t i = 0; i < tensors_; ++i) {
      gguf::tensor t;
      (void)c.tensor_info(t, bytes_, data_at_, alignment_);
      f(t);
    }
  }

  std::uint64_t key_count() const noexcept { return keys_; }
  std::uint64_t tensor_count() const noexcept { return tensors_; }
  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  std::size_t data_offset() const noexcept { return data_at_; }        ///< where the tensor data begins
  std::size_t tensors_offset() const noexcept { return tensors_at_; }  ///< where the tensor descriptions begin
  std::size_t data_alignment() const noexcept { return alignment_; }

 private:
  static constexpr std::size_t header_bytes = 24;

  /// Reads forward; every method fails rather than pass the end, and then says why.
  struct cursor {
    std::span<const std::byte> bytes;
    std::size_t at;
    errc code{};
    std::uint64_t expected = 0, found = 0;

    bool fail(errc code_, std::uint64_t expected_, std::uint64_t found_) noexcept {
      code = code_, expected = expected_, found = found_;
      return false;
    }
    /// The failure as an error about the key or tensor `name`.
    error why(std::string_view name) const noexcept { return error(code, name, expected, found); }

    bool take(std::uint64_t n, std::span<const std::byte>& out) noexcept {
      if (n > bytes.size() - at) return fail(errc::truncated, at + n, bytes.size());
      out = bytes.subspan(at, static_cast<std::size_t>(n));
      at += static_cast<std::size_t>(n);
      return true;
    }
    template <class T>
    bool number(T& out) noexcept {
      std::span<const std::byte> raw;
      if (!take(sizeof(T), raw)) return false;
      out = load<T>(raw.data());
      return true;
    }
    bool string(std::span<const std::byte>& out) noexcept {
      std::uint64_t n = 0;
      return number(n) && take(n, out);
    }
    bool name(std::string_view& out) noexcept {
      std::span<const std::byte> raw;
      const std::size_t begin = at;
      out = {};
      if (!string(raw)) return false;
      bool printable = !raw.empty() && raw.size() <= max_name;
      for (const std::byte b : raw) printable = printable && b > std::byte{' '} && b < std::byte{127};
      if (!printable) return fail(errc::bad_key, 0, begin);
      out = {reinterpret_cast<const char*>(raw.data()), raw.size()};
      return true;
    }
    /// `end`: where the value ends, if that is known; a long array of strings need not be walked to find it.
    bool key_value(std::string_view& key, value& v, std::size_t end = 0) noexcept;
    bool tensor_info(gguf::tensor& t, std::span<const std::byte> all, std::size_t data_at, std::size_t align) noexcept;
  };

  result<void> check_keys() noexcept;
  result<void> check_tensors() noexcept;

  // These read bytes that `parse` has checked, and check nothing.
  std::string_view name_at(std::size_t at) const noexcept {
    return {reinterpret_cast<const char*>(bytes_.data()) + at + 8,
            static_cast<std::size_t>(load<std::uint64_t>(bytes_.data() + at))};
  }
  std::size_t after_string(std::size_t at) const noexcept { return at + 8 + name_at(at).size(); }
  std::size_t after_key(std::size_t at) const noexcept;
  std::size_t after_tensor(std::size_t at) const noexcept {
    at = after_string(at);
    return at + 16 + 8 * std::size_t{load<std::uint32_t>(bytes_.data() + at)};  // dimensions, extents, type, offset
  }
  value value_at(std::size_t at, std::size_t end) const noexcept {
    value v;
    std::string_view key;
    (void)cursor{bytes_, at}.key_value(key, v, end);
    return v;
  }
  gguf::tensor tensor_at(std::size_t at) const noexcept {
    gguf::tensor t;
    (void)cursor{bytes_, at}.tensor_info(t, bytes_, data_at_, alignment_);
    return t;
  }
  enum class list { keys, tensors, ranges };
  /// The name of an entry that has an earlier one's name, or of a tensor that shares bytes with an earlier one; empty
  /// where there is none.
  std::string_view find_clash(list what) const noexcept;
  void remember(std::size_t begin, std::size_t end, std::uint64_t count) noexcept;

  std::span<const std::byte> bytes_;
  std::uint64_t keys_ = 0, tensors_ = 0;
  /// The longest arrays of strings, which are slow to walk.
  struct long_array {
    std::size_t begin = 0, end = 0;
    std::uint64_t count = 0;
  } longest_[4];
  std::size_t tensors_at_ = 0, data_at_ = 0, alignment_ = 32;
};

inline bool file::cursor::key_value(std::string_view& key, value& v, std::size_t end) noexcept {
  if (!name(key)) return false;
  std::uint32_t type = 0, element = 0;
  if (!number(type)) return false;
  if (type > static_cast<std::uint32_t>(value_type::f64)) return fail(errc::wrong_type, 0, type);
  v = {};
  v.type = static_cast<value_type>(type);
  if (v.type == value_type::string) return string(v.bytes);
  if (v.type != value_type::array) {
    if (!take(scalar_size(v.type), v.bytes)) return false;
    if (v.type == value_type::boolean && load<std::uint8_t>(v.bytes.data()) > 1) return fail(errc::wrong_value, 0, 2);
    return true;
  }
  if (!number(element) || !number(v.count)) return false;
  if (element > static_cast<std::uint32_t>(value_type::f64) || element == static_cast<std::uint32_t>(value_type::array))
    return fail(errc::wrong_type, 0, element);
  v.element = static_cast<value_type>(element);
  if (end != 0) return take(end - at, v.bytes);
  if (v.element != value_type::string) {
    if (v.count > bytes.size()) return fail(errc::truncated, v.count, bytes.size());
    return take(v.count * scalar_size(v.element), v.bytes);
  }
  const std::size_t begin = at;
  std::span<const std::byte> item;
  for (std::uint64_t i = 0; i < v.count; ++i)
    if (!string(item)) return false;
  v.bytes = bytes.subspan(begin, at - begin);
  return true;
}

inline bool file::cursor::tensor_info(gguf::tensor& t, std::span<const std::byte> all, std::size_t data_at,
                                      std::size_t align) noexcept {
  t = {};
  if (!name(t.name)) return false;
  if (!number(t.dimensions)) return false;
  if (t.dimensions < 1 || t.dimensions > 4) return fail(errc::wrong_dimensions, 4, t.dimensions);
  std::uint64_t elements = 1;
  for (std::uint32_t d = 0; d < t.dimensions; ++d) {
    if (!number(t.extent[d])) return false;
    if (t.extent[d] == 0 || t.extent[d] > max_elements / elements)
      return fail(errc::out_of_range, max_elements, t.extent[d]);
    elements *= t.extent[d];
  }
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
  if (!number(type) || !number(offset)) return false;
  t.type = static_cast<tensor_type>(type);
  if (data_at == 0) return true;  // first pass: where the data begins is not known yet
  const std::uint64_t size = row_bytes(t.type, t.extent[0]) * (elements / t.extent[0]);
  if (size == 0) return fail(errc::wrong_type, 0, type);
  if (offset % align != 0) return fail(errc::misaligned, align, offset);
  const std::uint64_t room = all.size() - data_at;
  if (offset > room || size > room - offset)
    return fail(errc::truncated, offset > max_elements * 8 ? offset : data_at + offset + size, all.size());
  t.bytes = all.subspan(data_at + static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
  return true;
}

inline std::size_t file::after_key(std::size_t at) const noexcept {
  at = after_string(at);
  auto type = static_cast<value_type>(load<std::uint32_t>(bytes_.data() + at));
  at += 4;
  if (type == value_type::string) return after_string(at);
  if (type != value_type::array) return at + scalar_size(type);
  type = static_cast<value_type>(load<std::uint32_t>(bytes_.data() + at));
  const auto count = static_cast<std::size_t>(load<std::uint64_t>(bytes_.data() + at + 4));
  at += 12;
  if (type != value_type::string) return at + count * scalar_size(type);
  for (const long_array& known : longest_)
    if (known.begin == at) return known.end;
  for (std::size_t i = 0; i < count; ++i) at = after_string(at);
  return at;
}

inline std::optional<value> file::find(std::string_view key) const noexcept {
  std::size_t at = header_bytes;
  for (std::uint64_t i = 0; i < keys_; ++i) {
    const std::size_t end = after_key(at);
    if (name_at(at) == key) return value_at(at, end);
    at = end;
  }
  return {};
}

inline std::optional<gguf::tensor> file::tensor(std::string_view name, tensor_place& from) const noexcept {
  for (std::uint64_t i = 0; i < tensors_; ++i) {
    if (from.number == tensors_) from = {};
    const std::size_t at = from.at == 0 ? tensors_at_ : from.at;
    from = {from.number + 1, after_tensor(at)};
    if (name_at(at) == name) return tensor_at(at);
  }
  return {};
}

inline std::string_view file::find_clash(list what) const noexcept {
  const bool keys = what == list::keys, ranges = what == list::ranges;
  const std::uint64_t count = keys ? keys_ : tensors_;
  std::size_t first = keys ? header_bytes : tensors_at_;
  sorted_window window;
  for (std::uint64_t done = 0; done < count; done += sorted_window::room) {
    window.clear();
    std::size_t at = first;
    for (std::uint64_t i = done; i < count; ++i) {
      const std::string_view name = name_at(at);
      sorted_window::entry e{0x811C9DC5u, at};  // FNV-1a
      for (const char c : name) e.key = (e.key ^ static_cast<unsigned char>(c)) * 0x01000193u;
      if (ranges) {
        const std::span<const std::byte> bytes = tensor_at(at).bytes;
        e.key = static_cast<std::size_t>(bytes.data() - bytes_.data());
        e.other = e.key + bytes.size();
      }
      // Equal hashes are in the order of their names: a file's author can make any number of them.
      const sorted_window::entry* const place = window.find([&](const sorted_window::entry& one) {
        return one.key < e.key || (one.key == e.key && !ranges && name_at(one.other) < name);
      });
      const bool at_end = place == window.end();
      if (ranges ? (place != window.begin() && place[-1].other > e.key) || (!at_end && place->key < e.other)
                 : !at_end && place->key == e.key && name_at(place->other) == name)
        return name;
      at = keys ? after_key(at) : after_tensor(at);
      if (i - done >= sorted_window::room) continue;
      window.insert(place, e);
      first = at;
    }
  }
  return {};
}

inline void file::remember(std::size_t begin, std::size_t end, std::uint64_t count) noexcept {
  long_array* least = longest_;
  for (long_array& known : longest_)
    if (known.count < least->count) least = &known;
  if (count > least->count) *least = {begin, end, count};
}

inline result<void> file::check_keys() noexcept {
  cursor c{bytes_, header_bytes};
  for (std::uint64_t i = 0; i < keys_; ++i) {
    std::string_view key;
    value v;
    if (!c.key_value(key, v)) return c.why(key);
    if (v.element == value_type::string) remember(c.at - v.bytes.size(), c.at, v.count);
  }
  tensors_at_ = c.at;
  if (const auto twice = find_clash(list::keys); !twice.empty()) return error(errc::duplicate_key, twice);
  return {};
}

inline result<void> file::check_tensors() noexcept {
  cursor first{bytes_, tensors_at_};
  for (std::uint64_t i = 0; i < tensors_; ++i) {
    gguf::tensor t;
    if (!first.tensor_info(t, bytes_, 0, alignment_)) return first.why(t.name);
  }
  data_at_ = round_up(first.at, alignment_);
  if (data_at_ > bytes_.size()) return error(errc::truncated, "", data_at_, bytes_.size());
  cursor c{bytes_, tensors_at_};
  const std::byte* furthest = bytes_.data() + data_at_;
  bool in_order = true;  // as every writer lays them out: nothing overlaps then
  for (std::uint64_t i = 0; i < tensors_; ++i) {
    gguf::tensor t;
    if (!c.tensor_info(t, bytes_, data_at_, alignment_)) return c.why(t.name);
    in_order = in_order && t.bytes.data() >= furthest;
    furthest = t.bytes.data() + t.bytes.size();
  }
  if (const auto twice = find_clash(list::tensors); !twice.empty()) return error(errc::duplicate_key, twice);
  if (in_order) return {};
  if (const auto shared = find_clash(list::ranges); !shared.empty()) return error(errc::overlapping, shared);
  return {};
}

inline result<file> file::parse(std::span<const std::byte> bytes) noexcept {
  file f;
  f.bytes_ = bytes;
  if (bytes.size() < 4 || load<std::uint32_t>(bytes.data()) != 0x46554747u) return error(errc::not_gguf);  // "GGUF"
  if (bytes.size() < header_bytes) return error(errc::truncated, "", header_bytes, bytes.size());
  const auto version = load<std::uint32_t>(bytes.data() + 4);
  if (version != 3) return error(errc::unsupported_version, "", 3, version);
  f.tensors_ = load<std::uint64_t>(bytes.data() + 8);
  f.keys_ = load<std::uint64_t>(bytes.data() + 16);
  if (f.keys_ > max_keys) return error(errc::out_of_range, "number of keys", max_keys, f.keys_);
  if (f.tensors_ > max_tensors) return error(errc::out_of_range, "number of tensors", max_tensors, f.tensors_);
  if (const auto done = f.check_keys(); !done) return done.error();
  if (const auto a = f.find("general.alignment")) {
    if (a->type != value_type::u32) return error(errc::wrong_type, "general.alignment");
    const auto n = load<std::uint32_t>(a->bytes.data());
    if (!std::has_single_bit(n) || n < 8 || n > 65536) return error(errc::wrong_value, "general.alignment", 64, n);
    f.alignment_ = n;
  }
  if (const auto done = f.check_tensors(); !done) return done.error();
  return f;
}

}  // namespace dupq::inline DUPQ_ABI::gguf
