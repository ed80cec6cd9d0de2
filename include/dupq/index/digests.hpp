// Digests of a segment's parts, by which it is known after years whether a byte of it has changed.
//
// The last tensor, `digests`, has the SHA-256 of each part in hexadecimal digits: of all that stands before the first
// tensor, and of each tensor with the padding behind it. Segments that were written before there were digests have
// none.
#pragma once

#include <cstddef>
#include <cstring>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>

#include "../core/error.hpp"
#include "../core/gguf.hpp"
#include "../core/new_file.hpp"
#include "../core/platform.hpp"
#include "../core/sha256.hpp"

namespace dupq::inline DUPQ_ABI::index_detail {

/// A segment's parts in their order.
inline constexpr std::string_view parts[] = {"header", "vectors", "packed", "order", "ids", "texts"};
inline constexpr std::string_view digests_name = "digests";
inline constexpr std::size_t digests_bytes = std::size(parts) * sizeof(hex_digest);

/// A new file of parts, whose digests it ends with.
class digested_file {
 public:
  explicit digested_file(new_file&& file) noexcept : file_(std::move(file)) {}

  /// Errors: cannot_write, as of all that follow.
  result<void> write(std::span<const std::byte> bytes) noexcept {
    part_.update(bytes);
    written_ += bytes.size();
    return file_.write(bytes);
  }
  /// Zeros up to a multiple of `alignment`: then the part is whole.
  result<void> end_part() noexcept {
    constexpr std::byte zeros[alignment]{};
    const auto done = write({zeros, (alignment - written_ % alignment) % alignment});
    digests_[count_++] = part_.hex();
    part_ = sha256();
    return done;
  }
  /// All parts are written: ends with their digests, and waits until all is on the disk.
  result<void> finish() noexcept {
    if (const auto done = file_.write(std::as_bytes(std::span(digests_))); !done) return done;
    return file_.finish();
  }

 private:
  new_file file_;
  sha256 part_;
  hex_digest digests_[std::size(parts)];
  std::size_t count_ = 0, written_ = 0;
};

/// Reads all of a segment. Errors: missing_tensor where it has no digests; damaged, with the part that is.
inline result<void> verify_segment(const gguf::file& file) noexcept {
  const auto stored = file.tensor(digests_name);
  if (!stored) return error(errc::missing_tensor, digests_name);
  const std::span<const std::byte> all = file.bytes();
  const auto place = [&](const gguf::tensor& t) { return static_cast<std::size_t>(t.bytes.data() - all.data()); };
  const std::size_t last = place(*stored);
  if (stored->bytes.size() != digests_bytes || last + digests_bytes != all.size())
    return error(errc::damaged, digests_name);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < std::size(parts); ++i) {
    std::size_t end = last;
    if (i + 1 < std::size(parts)) {
      const auto next = file.tensor(parts[i + 1]);
      if (!next) return error(errc::missing_tensor, parts[i + 1]);
      end = place(*next);
    }
    if (end < begin || end > last) return error(errc::damaged, "header");
    const hex_digest found = sha256_hex(all.subspan(begin, end - begin));
    const auto* const digits = stored->bytes.data() + i * sizeof(hex_digest);
    if (std::memcmp(found.digits, digits, sizeof found.digits) != 0) return error(errc::damaged, parts[i]);
    begin = end;
  }
  return {};
}

}  // namespace dupq::inline DUPQ_ABI::index_detail
