// Where texts come from: a file or standard input, decoded to UTF-8. A reader sees what is `ahead`, asks for `more`
// where that does not suffice, and takes bytes off its front.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <dupq/core/copy_bytes.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "encoding.hpp"
#include "failure.hpp"
#include "input_file.hpp"

namespace dupq_tool {

/// The longest line or record, in bytes. It bounds the memory that an unclosed quote or a binary file can take.
inline constexpr std::size_t max_record = std::size_t{16} << 20;

class input_stream {
 public:
  /// "-" is standard input. A byte-order mark of UTF-16 counts more than `encoding`, where that is UTF-8.
  explicit input_stream(const std::string& path, text_encoding encoding = text_encoding::utf8)
      : encoding_(encoding), file_(std::in_place, path), name_(file_->name()), size_(file_->size()) {}
  /// Reads from memory, `piece` bytes at a time.
  input_stream(std::string name, std::string_view bytes, text_encoding encoding = text_encoding::utf8,
               std::size_t piece = block)
      : encoding_(encoding), name_(std::move(name)), memory_(bytes), piece_(piece), size_(bytes.size()) {}
  input_stream(const input_stream&) = delete;
  input_stream& operator=(const input_stream&) = delete;

  /// Called before a read that has to wait for whoever writes the other end of a pipe.
  std::function<void()> before_waiting;

  /// What was read and not taken yet. The bytes stay at their addresses until `more` is called, also those taken.
  std::string_view ahead() const noexcept { return {buffer_.get() + begin_, end_ - begin_}; }
  /// Takes the first `n` bytes of what is ahead.
  void take(std::size_t n) noexcept { begin_ += n; }
  /// Adds to what is ahead; false at the end.
  bool more() {
    if (ended_) return false;
    if (!decoder_) return start();
    if (encoding_ == text_encoding::utf8) {
      const std::size_t n = read(room(piece_), piece_);
      end_ += n;
      return n != 0;
    }
    return decode(std::string(piece_, '\0'), 0);
  }

  text_encoding encoding() const noexcept { return encoding_; }
  const std::string& name() const noexcept { return name_; }
  std::uint64_t size() const noexcept { return size_; }  ///< in bytes; 0 where it is not known
  std::uint64_t bytes_read() const noexcept { return read_ - std::min<std::uint64_t>(read_, end_ - begin_); }

 private:
  static constexpr std::size_t block = std::size_t{1} << 17;  ///< bytes of one read

  /// The first piece says how the file is encoded.
  bool start() {
    std::string first(std::max<std::size_t>(piece_, 4), '\0');
    std::size_t n = 0;
    const auto enough = [&] {
      const bool wide = encoding_ == text_encoding::utf16 || first[0] == '\xFE' || first[0] == '\xFF';
      return n >= (wide ? 4 : 1);
    };
    for (std::size_t got; !enough() && (got = read(first.data() + n, std::min(piece_, first.size() - n))) != 0;)
      n += got;
    if (encoding_ == text_encoding::utf8 || encoding_ == text_encoding::utf16)
      choose_encoding(std::string_view(first).substr(0, n));
    decoder_.emplace(encoding_);
    return decode(std::move(first), n);
  }

  void choose_encoding(std::string_view first) {
    using enum text_encoding;
    constexpr std::string_view wide_mark{"\xFF\xFE\0\0", 4};
    if (first.starts_with(wide_mark)) throw failure(name_ + ": is UTF-32, which is not read");
    for (const auto order : {utf16, utf16_big}) {
      if (first.starts_with(utf16_mark(order)) || (encoding_ == utf16 && looks_like_utf16(first, order))) {
        encoding_ = order;
        return;
      }
    }
  }

  /// Decodes the first `n` bytes of a piece, or the next piece, until there is a character; false at the end.
  bool decode(std::string piece, std::size_t n) {
    for (std::string text;; n = 0) {
      if (n == 0) n = read(piece.data(), std::min(piece_, piece.size()));
      if (n == 0)
        decoder_->finish(text);
      else
        decoder_->decode(std::string_view(piece).substr(0, n), text);
      if (!text.empty()) {
        dupq::copy_bytes(room(text.size()), text.data(), text.size());
        end_ += text.size();
        return true;
      }
      if (n == 0) return false;
    }
  }

  std::size_t read(char* to, std::size_t most) {
    if (ended_) return 0;
    std::size_t n;
    if (file_) {
      if (before_waiting && file_->would_wait()) before_waiting();
      n = file_->read(to, most);
    } else {
      n = memory_.copy(to, most, static_cast<std::size_t>(read_));
    }
    read_ += n;
    ended_ = n == 0;
    return n;
  }

  /// Makes room for `n` bytes behind what is ahead.
  char* room(std::size_t n) {
    if (capacity_ - end_ < n) {
      const std::size_t kept = end_ - begin_;
      if (capacity_ < kept + n) {
        capacity_ = 2 * kept + 2 * n;
        auto larger = std::make_unique_for_overwrite<char[]>(capacity_);
        dupq::copy_bytes(larger.get(), buffer_.get() + begin_, kept);
        buffer_ = std::move(larger);
      } else {
        if (kept != 0) std::memmove(buffer_.get(), buffer_.get() + begin_, kept);
      }
      begin_ = 0, end_ = kept;
    }
    return buffer_.get() + end_;
  }

  text_encoding encoding_;
  std::optional<input_file> file_;
  std::string name_, memory_;
  std::size_t piece_ = block;
  std::uint64_t size_ = 0, read_ = 0;
  bool ended_ = false;
  std::optional<decoder> decoder_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0, end_ = 0, capacity_ = 0;
};

}  // namespace dupq_tool
