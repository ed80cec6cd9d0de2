// The manifest of an index: which segments there are, which of their rows are removed, and which model made them. It is
// small, and replaced as a whole: whoever reads it sees the index before a change or after it.
#pragma once

#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "../core/copy_bytes.hpp"
#include "../core/error.hpp"
#include "../core/gguf.hpp"
#include "../core/gguf_writer.hpp"
#include "../core/heap_list.hpp"
#include "../core/sha256.hpp"
#include "identity.hpp"
#include "keys.hpp"
#include "segment.hpp"

namespace dupq::inline DUPQ_ABI::index_detail {

inline constexpr std::uint64_t most_segments = 16000;  ///< tensors that a GGUF file may have
inline constexpr std::uint64_t most_dim = std::uint64_t{1} << 20;

/// One segment as the manifest has it.
struct manifest_entry {
  std::uint64_t number = 0;  ///< of its file
  std::uint64_t rows = 0;
  std::uint64_t removed_rows = 0;
  std::span<const std::uint64_t> removed;  ///< a bit a row; empty: none is removed
};

/// What stands in a manifest beside its segments.
struct manifest_head {
  index_model model;
  std::uint64_t changes = 0;    ///< that were made since the index was created
  std::uint64_t next_file = 1;  ///< the number of the next segment's file
  std::uint64_t next_id = 1;    ///< the number of the next text, its id where it has no other
  std::uint64_t segments = 0;
};

/// The name of the tensor of a segment's removed rows.
class removed_name {
 public:
  explicit removed_name(std::uint64_t segment) noexcept
      : size_(static_cast<std::size_t>(std::to_chars(text_ + start, text_ + sizeof text_, segment).ptr - text_)) {}
  operator std::string_view() const noexcept { return {text_, size_}; }

 private:
  static constexpr std::size_t start = 8;
  char text_[start + 20] = {'r', 'e', 'm', 'o', 'v', 'e', 'd', '.'};
  std::size_t size_;
};

constexpr std::string_view digest_key = "dupq.index.digest";

/// The digest of all of a manifest but for the digest itself.
inline result<hex_digest> manifest_digest(std::span<const std::byte> bytes, const gguf::file& file) noexcept {
  const auto stored = read_text(file, digest_key);
  if (!stored) return stored.error();
  const auto at = static_cast<std::size_t>(reinterpret_cast<const std::byte*>(stored->data()) - bytes.data());
  sha256 all;
  all.update(bytes.first(at));
  all.update(bytes.subspan(at + stored->size()));
  return all.hex();
}

/// A view of a manifest's bytes, which must outlive it.
class manifest_view {
 public:
  /// Errors: all that is wrong with a file; damaged where its digest is another.
  static result<manifest_view> parse(std::span<const std::byte> bytes) noexcept {
    const auto file = gguf::file::parse(bytes);
    if (!file) return file.error();
    if (const auto right = check_kind(*file); !right) return right.error();
    const auto digest = manifest_digest(bytes, *file);
    if (!digest) return digest.error();
    if (*read_text(*file, digest_key) != std::string_view(*digest)) return error(errc::damaged);
    manifest_view m;
    m.file_ = *file;
    const auto name = read_text(*file, "dupq.index.model.name"), made_by = read_text(*file, "dupq.index.model.digest");
    if (!name) return name.error();
    if (!made_by) return made_by.error();
    const auto like = read_similarity(*file);
    if (!like) return like.error();
    const auto dim = read_number(*file, "dupq.index.dim", 1, most_dim);
    if (!dim) return dim.error();
    m.head_.model = {*name, *made_by, static_cast<std::size_t>(*dim), *like};
    for (const auto& [key, to] :
         {counter{"dupq.index.changes", &m.head_.changes}, counter{"dupq.index.next_file", &m.head_.next_file},
          counter{"dupq.index.next_id", &m.head_.next_id}}) {
      const auto n = read_number(*file, key, 0, std::uint64_t{1} << 60);
      if (!n) return n.error();
      *to = *n;
    }
    const auto count = read_number(*file, "dupq.index.segments", 0, most_segments);
    if (!count) return count.error();
    m.head_.segments = *count;
    for (const auto& [key, to] : {list{"dupq.index.files", &m.files_}, list{"dupq.index.rows", &m.rows_},
                                  list{"dupq.index.removed", &m.removed_}}) {
      const auto numbers = read_numbers(*file, key, *count);
      if (!numbers) return numbers.error();
      *to = numbers->data();
    }
    return m;
  }

  const manifest_head& head() const noexcept { return head_; }

  /// Segment i; asked for in order, `place` makes it quick. Errors: out_of_range, and what is wrong with a tensor.
  result<manifest_entry> segment(std::size_t i, gguf::tensor_place& place) const noexcept {
    manifest_entry e;
    e.number = gguf::load<std::uint64_t>(files_ + 8 * i);
    e.rows = gguf::load<std::uint64_t>(rows_ + 8 * i);
    if (e.rows == 0 || e.rows > most_rows) return error(errc::out_of_range, "dupq.index.rows", most_rows, e.rows);
    if (e.number >= head_.next_file) return error(errc::out_of_range, "dupq.index.files", head_.next_file, e.number);
    e.removed_rows = gguf::load<std::uint64_t>(removed_ + 8 * i);
    if (e.removed_rows > e.rows) return error(errc::out_of_range, "dupq.index.removed", e.rows, e.removed_rows);
    if (e.removed_rows == 0) return e;
    const auto t = file_.tensor(removed_name(i), place);
    if (!t) return error(errc::missing_tensor, removed_name(i));
    const std::uint64_t bytes = (e.rows + 63) / 64 * 8;
    if (t->type != gguf::tensor_type::i8) return error(errc::wrong_type, t->name);
    if (t->bytes.size() != bytes) return error(errc::wrong_size, t->name, bytes, t->bytes.size());
    const auto address = reinterpret_cast<std::uintptr_t>(t->bytes.data());
    if (address % 8 != 0) return error(errc::misaligned, t->name, 8, address % 8);
    e.removed = {reinterpret_cast<const std::uint64_t*>(t->bytes.data()), t->bytes.size() / 8};
    std::uint64_t bits = 0;
    for (const std::uint64_t word : e.removed) bits += static_cast<std::uint64_t>(std::popcount(word));
    if (bits != e.removed_rows || (e.rows % 64 != 0 && e.removed.back() >> e.rows % 64 != 0))
      return error(errc::damaged, t->name);
    return e;
  }

 private:
  struct counter {
    std::string_view key;
    std::uint64_t* to;
  };
  struct list {
    std::string_view key;
    const std::byte** to;
  };

  gguf::file file_;
  manifest_head head_;
  const std::byte *files_ = nullptr, *rows_ = nullptr, *removed_ = nullptr;
};

/// The bytes of a manifest. Errors: out_of_memory.
inline result<heap_list<std::byte>> manifest_bytes(const manifest_head& head,
                                                   std::span<const manifest_entry> segments) noexcept {
  gguf::writer file;
  file.add("general.architecture", architecture);
  file.add("general.alignment", static_cast<std::uint32_t>(alignment));
  file.add("dupq.index.version", version);
  file.add(digest_key, std::string_view(hex_digest()));
  file.add("dupq.index.model.name", head.model.name);
  file.add("dupq.index.model.digest", head.model.digest);
  file.add("dupq.index.dim", std::uint64_t{head.model.dim});
  file.add("dupq.index.similarity", name(head.model.similarity));
  file.add("dupq.index.changes", head.changes);
  file.add("dupq.index.next_file", head.next_file);
  file.add("dupq.index.next_id", head.next_id);
  file.add("dupq.index.segments", std::uint64_t{segments.size()});
  heap_list<std::uint64_t> files, rows, removed;
  bool complete = true;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const manifest_entry& e = segments[i];
    complete = complete && files.append(&e.number, 1) && rows.append(&e.rows, 1);
    complete = complete && removed.append(&e.removed_rows, 1);
    const std::uint64_t bytes = e.removed.size_bytes();
    if (e.removed_rows != 0) file.add_tensor(removed_name(i), gguf::tensor_type::i8, {&bytes, 1}, bytes);
  }
  file.add("dupq.index.files", std::span<const std::uint64_t>(files.items()));
  file.add("dupq.index.rows", std::span<const std::uint64_t>(rows.items()));
  file.add("dupq.index.removed", std::span<const std::uint64_t>(removed.items()));
  auto all = file.header();
  if (!all) return all.error();
  const std::size_t data = all->size();
  if (!complete || !all->resize(data + static_cast<std::size_t>(file.data_bytes())))
    return error(errc::out_of_memory, "manifest", data + file.data_bytes());
  std::byte* to = all->data() + data;
  for (const manifest_entry& e : segments) {
    if (e.removed_rows == 0) continue;
    copy_bytes(to, e.removed.data(), e.removed.size_bytes());
    to += round_up(e.removed.size_bytes(), alignment);
  }
  const auto parsed = gguf::file::parse(all->items());
  if (!parsed) return parsed.error();
  const auto digest = manifest_digest(all->items(), *parsed);
  if (!digest) return digest.error();
  const auto at = parsed->find(digest_key)->bytes.data() - all->data();
  std::memcpy(all->data() + at, digest->digits, sizeof digest->digits);
  return result<heap_list<std::byte>>(std::move(*all));
}

}  // namespace dupq::inline DUPQ_ABI::index_detail
