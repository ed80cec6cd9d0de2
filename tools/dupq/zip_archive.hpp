// The directory of a ZIP archive whose entries are stored as they are, as PyTorch writes them: names and bytes.
//
// Archives of more than 4 GB (zip64) are read too; compressed or encrypted entries are not, since PyTorch has none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "failure.hpp"
#include "json.hpp"

namespace dupq_tool {

/// The entries of an archive; they view its bytes, which must outlive it.
class zip_archive {
 public:
  /// What an archive begins with.
  static bool is_one(std::span<const std::byte> bytes) noexcept {
    return bytes.size() >= 4 && bytes[0] == std::byte{'P'} && bytes[1] == std::byte{'K'} && bytes[2] == std::byte{3} &&
           bytes[3] == std::byte{4};
  }

  /// Failures name `source` and the entry.
  zip_archive(std::span<const std::byte> bytes, std::string source) : bytes_(bytes), source_(std::move(source)) {
    const directory at = find_directory();
    read_entries(at);
  }

  const std::string& source() const noexcept { return source_; }
  /// An entry's bytes; nothing where there is none of that name, and a failure where it is not stored as it is.
  std::optional<std::span<const std::byte>> find(std::string_view name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return {};
    if (found->second.trouble != nullptr) fail("entry " + json::quote(name) + ": " + found->second.trouble);
    return found->second.bytes;
  }
  template <class F>
  void for_each_name(F&& f) const {
    for (const auto& [name, found] : entries_) f(name);
  }

  [[noreturn]] void fail(const std::string& what) const { throw failure(source_ + ": " + what); }

 private:
  struct entry {
    std::span<const std::byte> bytes;
    const char* trouble;  ///< why the bytes are not what was put in; null: they are
  };
  struct directory {
    std::uint64_t begin = 0, size = 0, entries = 0;
  };

  static constexpr std::uint64_t end_size = 22, locator_size = 20, wide_end_size = 56, entry_size = 46, local_size = 30;
  static constexpr std::uint32_t none_16 = 0xFFFF, none_32 = 0xFFFFFFFF;  // "see the zip64 field"

  /// A number at `at`, which lies inside the archive.
  template <class T>
  T number(std::uint64_t at) const noexcept {
    T value;
    std::memcpy(&value, bytes_.data() + at, sizeof value);
    return value;
  }
  bool holds(std::uint64_t at, std::uint64_t size) const noexcept {
    return at <= bytes_.size() && size <= bytes_.size() - at;
  }
  bool marked(std::uint64_t at, std::uint64_t size, const char (&mark)[5]) const noexcept {
    return holds(at, size) && std::memcmp(bytes_.data() + at, mark, 4) == 0;
  }

  /// It ends with a record that says where the list of entries is; only a comment may follow.
  directory find_directory() const {
    constexpr std::uint64_t longest_comment = 0xFFFF;
    for (std::uint64_t back = end_size; back <= end_size + longest_comment && back <= bytes_.size(); ++back) {
      const std::uint64_t at = bytes_.size() - back;
      if (marked(at, end_size, "PK\5\6") && number<std::uint16_t>(at + 20) == back - end_size) return directory_at(at);
    }
    fail("a ZIP archive that ends too early: its directory is missing");
  }

  directory directory_at(std::uint64_t at) const {
    directory d{number<std::uint32_t>(at + 16), number<std::uint32_t>(at + 12), number<std::uint16_t>(at + 10)};
    if (d.begin == none_32 || d.size == none_32 || d.entries == none_16) {
      if (at < locator_size || !marked(at - locator_size, locator_size, "PK\6\7"))
        fail("its directory has no zip64 part, which its size needs");
      const auto wide = number<std::uint64_t>(at - locator_size + 8);
      if (!marked(wide, wide_end_size, "PK\6\6")) fail("the zip64 part of its directory is not where it should be");
      d = {number<std::uint64_t>(wide + 48), number<std::uint64_t>(wide + 40), number<std::uint64_t>(wide + 32)};
    }
    if (!holds(d.begin, d.size)) fail("its directory lies outside the file");
    return d;
  }

  void read_entries(const directory& d) {
    std::uint64_t at = d.begin;
    const std::uint64_t end = d.begin + d.size;
    for (std::uint64_t i = 0; i < d.entries; ++i) {
      if (end - at < entry_size || !marked(at, entry_size, "PK\1\2")) fail("its directory is damaged");
      const std::uint64_t name_size = number<std::uint16_t>(at + 28), extra_size = number<std::uint16_t>(at + 30),
                          comment_size = number<std::uint16_t>(at + 32);
      if (end - at - entry_size < name_size + extra_size + comment_size) fail("its directory is damaged");
      const std::string_view name(reinterpret_cast<const char*>(bytes_.data() + at + entry_size), name_size);
      add(name, at,
          bytes_.subspan(static_cast<std::size_t>(at + entry_size + name_size), static_cast<std::size_t>(extra_size)));
      at += entry_size + name_size + extra_size + comment_size;
    }
  }

  void add(std::string_view name, std::uint64_t at, std::span<const std::byte> extra) {
    const auto refuse = [&](const char* what) { fail("entry " + json::quote(name) + ": " + what); };
    constexpr std::uint16_t encrypted = 1;
    const char* trouble = nullptr;
    if ((number<std::uint16_t>(at + 8) & encrypted) != 0) trouble = "is encrypted";
    if (number<std::uint16_t>(at + 10) != 0) trouble = "is compressed, which PyTorch's files never are";
    std::uint64_t stored = number<std::uint32_t>(at + 20), size = number<std::uint32_t>(at + 24),
                  local = number<std::uint32_t>(at + 42);
    if (!widen(extra, size, stored, local)) refuse("has no zip64 field, which its size needs");
    if (trouble == nullptr && stored != size) refuse("is stored with another size than it has");
    if (!marked(local, local_size, "PK\3\4")) refuse("is not where the directory says");
    const std::uint64_t begin =
        local + local_size + number<std::uint16_t>(local + 26) + number<std::uint16_t>(local + 28);
    if (!holds(begin, stored)) refuse("lies outside the file");
    const auto bytes = bytes_.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(stored));
    if (!entries_.emplace(name, entry{bytes, trouble}).second) refuse("is there twice");
  }

  /// Sizes and places that do not fit 32 bits stand in a field of their own, those that do not, and in this order.
  static bool widen(std::span<const std::byte> extra, std::uint64_t& size, std::uint64_t& stored,
                    std::uint64_t& local) noexcept {
    std::span<const std::byte> wide;
    while (extra.size() >= 4) {
      std::uint16_t head[2];
      std::memcpy(head, extra.data(), 4);
      const std::size_t length = std::min<std::size_t>(head[1], extra.size() - 4);
      if (head[0] == 1) wide = extra.subspan(4, length);
      extra = extra.subspan(4 + length);
    }
    for (std::uint64_t* const v : {&size, &stored, &local}) {
      if (*v != none_32) continue;
      if (wide.size() < sizeof *v) return false;
      std::memcpy(v, wide.data(), sizeof *v);
      wide = wide.subspan(sizeof *v);
    }
    return true;
  }

  std::span<const std::byte> bytes_;
  std::string source_;
  std::map<std::string_view, entry> entries_;
};

}  // namespace dupq_tool
