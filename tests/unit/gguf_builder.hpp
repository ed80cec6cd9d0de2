// Takes a model file apart, so that a test may change any part of it, and puts it together again.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dupq/core/gguf.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dupq/core/os.hpp>

#include "support/fixtures.hpp"

namespace dupq_test {

/// A copy of bytes in an allocation of exactly their size, `shift` bytes behind a multiple of dupq::alignment.
class aligned_bytes {
 public:
  explicit aligned_bytes(std::size_t n, std::size_t shift = 0) : shift_(shift), size_(n) {
    void* const p = dupq::os::allocate(n + shift);
    REQUIRE(p != nullptr);
    data_.reset(static_cast<std::byte*>(p));
  }
  explicit aligned_bytes(std::string_view bytes, std::size_t shift = 0) : aligned_bytes(bytes.size(), shift) {
    std::copy_n(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size(), data_.get() + shift);
  }
  std::span<std::byte> span() const { return {data_.get() + shift_, size_}; }

 private:
  struct release {
    void operator()(std::byte* p) const { dupq::os::release(p); }
  };
  std::unique_ptr<std::byte, release> data_;
  std::size_t shift_, size_;
};

/// The little-endian bytes of numbers.
template <class... T>
std::string raw(T... numbers) {
  std::string out;
  (out.append(reinterpret_cast<const char*>(&numbers), sizeof numbers), ...);
  return out;
}
inline std::string raw_text(std::string_view text) { return raw(std::uint64_t{text.size()}).append(text); }

/// One of the tiny models that are also the seeds of the fuzz target: bert, cross or mpnet, packed-f32 or plain-f16.
inline std::string tiny_model(const std::string& name) {
  return fixtures::read_file(std::string(DUPQ_TEST_DIR) + "/../fuzz/corpus/gguf/" + name + ".gguf");
}

struct gguf_builder {
  struct key {
    std::string name;
    std::uint32_t type;
    std::string payload;  ///< as it is stored behind the type
  };
  struct tensor {
    std::string name;
    std::uint32_t type;
    std::vector<std::uint64_t> extents;
    std::string data;
    std::optional<std::uint64_t> offset;  ///< what the description says, where that is not the truth
  };
  std::vector<key> keys;
  std::vector<tensor> tensors;
  std::optional<std::uint64_t> key_count, tensor_count;

  gguf_builder() = default;
  explicit gguf_builder(const std::string& bytes) {
    const auto file = dupq::gguf::file::parse(std::as_bytes(std::span(bytes)));
    REQUIRE(file);
    file->for_each_key([&](std::string_view name, const dupq::gguf::value& v) {
      std::string payload;
      if (v.type == dupq::gguf::value_type::string) payload = raw(std::uint64_t{v.bytes.size()});
      if (v.type == dupq::gguf::value_type::array) payload = raw(static_cast<std::uint32_t>(v.element), v.count);
      keys.push_back({std::string(name), static_cast<std::uint32_t>(v.type), payload.append(v.text())});
    });
    file->for_each_tensor([&](const dupq::gguf::tensor& t) {
      const std::string_view data(reinterpret_cast<const char*>(t.bytes.data()), t.bytes.size());
      tensors.push_back({std::string(t.name),
                         static_cast<std::uint32_t>(t.type),
                         {t.extent, t.extent + t.dimensions},
                         std::string(data),
                         {}});
    });
  }

  gguf_builder& add(const std::string& name, std::uint32_t type, const std::string& payload) {
    keys.push_back({name, type, payload});
    return *this;
  }
  gguf_builder& set(const std::string& name, std::uint32_t type, const std::string& payload) {
    erase(name);
    return add(name, type, payload);
  }
  gguf_builder& set(const std::string& name, std::uint32_t v) { return set(name, 4, raw(v)); }
  gguf_builder& set(const std::string& name, float v) { return set(name, 6, raw(v)); }
  gguf_builder& set(const std::string& name, bool v) { return set(name, 7, std::string(1, v ? '\1' : '\0')); }
  gguf_builder& set(const std::string& name, const char* v) { return set(name, 8, raw_text(v)); }
  gguf_builder& erase(std::string_view name) {
    std::erase_if(keys, [&](const key& k) { return k.name == name; });
    return *this;
  }
  gguf_builder& erase_tensor(std::string_view name) {
    std::erase_if(tensors, [&](const tensor& t) { return t.name == name; });
    return *this;
  }
  tensor& at(std::string_view name) {
    for (tensor& t : tensors)
      if (t.name == name) return t;
    REQUIRE_MESSAGE(false, "no tensor " << name);
    std::abort();
  }

  std::string build(std::size_t alignment = dupq::alignment) const {
    std::string out =
        "GGUF" + raw(std::uint32_t{3}, tensor_count.value_or(tensors.size()), key_count.value_or(keys.size()));
    for (const key& k : keys) out += raw_text(k.name) + raw(k.type) + k.payload;
    std::uint64_t at = 0;
    for (const tensor& t : tensors) {
      out += raw_text(t.name) + raw(static_cast<std::uint32_t>(t.extents.size()));
      for (const std::uint64_t n : t.extents) out += raw(n);
      out += raw(t.type, t.offset.value_or(at));
      at += dupq::round_up(t.data.size(), alignment);
    }
    for (const tensor& t : tensors) {
      out.resize(dupq::round_up(out.size(), alignment));
      out += t.data;
    }
    out.resize(dupq::round_up(out.size(), alignment));
    return out;
  }
};

}  // namespace dupq_test
