// Where the lines of an input end: with LF or CR LF; with CR too in a file whose first line ends so.
#pragma once

#include <cstddef>
#include <cstring>
#include <dupq/text/byte_block.hpp>
#include <string_view>

#include "encoding.hpp"
#include "input_stream.hpp"

namespace dupq_tool {

/// The end of a line, as offsets into what is ahead of an input.
struct line_end {
  std::size_t at = 0;       ///< the line's last byte stands before it
  std::size_t next = 0;     ///< where the next line begins
  const char* ending = "";  ///< what stands between: "\n", "\r\n", "\r", or "" at the end of the file
  bool too_long = false;    ///< no end within max_record bytes
};

class line_finder {
 public:
  explicit line_finder(input_stream& input) : input_(input) {}

  /// True while there is something ahead.
  bool any() { return !input_.ahead().empty() || input_.more(); }

  /// At the begin of a file, which is not empty: bytes of its byte-order mark. Fails where it must be UTF-16.
  std::size_t begin() {
    while (input_.ahead().size() < byte_order_mark.size() && byte_order_mark.starts_with(input_.ahead()))
      if (!input_.more()) break;
    for (const auto order : {text_encoding::utf16, text_encoding::utf16_big})
      if (looks_like_utf16(input_.ahead(), order))
        throw failure(input_.name() + ": looks like UTF-16 (--encoding utf-16 reads it)");
    return input_.ahead().starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
  }

  /// The end of the line that goes on at byte `from` of what is ahead.
  line_end find(std::size_t from) {
    for (std::size_t at = from;;) {
      const std::string_view ahead = input_.ahead();
      const char *const begin = ahead.data(), *const end = begin + ahead.size();
      if (at < ahead.size()) {
        const char* p = cr_ends_ ? dupq::byte_block::find_either(begin + at, end, '\n', '\r')
                                 : static_cast<const char*>(std::memchr(begin + at, '\n', ahead.size() - at));
        if (p != nullptr && p != end) {
          const auto place = static_cast<std::size_t>(p - begin);
          if (*p == '\n') {
            if (!cr_ends_ && place > from && p[-1] == '\r') return {place - 1, place + 1, "\r\n"};
            return {place, place + 1, "\n"};
          }
          if (p + 1 == end && input_.more()) continue;  // is it CR LF?
          if (p + 1 != end && p[1] == '\n') return {place, place + 2, "\r\n"};
          return {place, place + 1, "\r"};
        }
      }
      at = ahead.size();
      if (at > max_record) return {at, at, "", true};
      if (!input_.more()) return {at, at, ""};
    }
  }

  /// Says how the first line ended: CR alone ends lines only in a file whose first line ends so.
  void settle(std::string_view first_ending) noexcept { cr_ends_ = first_ending == "\r"; }
  /// To be called before the first line of a format whose fields hold no line breaks: if what is ahead has an LF, then
  /// CR alone does not end lines in this file.
  void settle_if_lf() noexcept {
    if (input_.ahead().find('\n') != std::string_view::npos) cr_ends_ = false;
  }
  bool cr_ends() const noexcept { return cr_ends_; }

  /// Takes everything to the end of the line that goes on at byte `from`.
  void skip(std::size_t from) {
    for (;;) {
      const line_end line = find(from);
      input_.take(line.next);
      if (!line.too_long) return;
      from = 0;
    }
  }

 private:
  input_stream& input_;
  bool cr_ends_ = true;
};

}  // namespace dupq_tool
