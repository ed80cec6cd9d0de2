// How the command-line tool reports what it cannot do: exceptions that `main` turns into one line and an exit status.
#pragma once

#include <cstring>
#include <dupq/core/error.hpp>
#include <stdexcept>
#include <string>

namespace dupq_tool {

/// The input or the model is at fault (exit status 1); the message says where: file, line, key or tensor.
class failure : public std::runtime_error {
 public:
  explicit failure(const std::string& what) : std::runtime_error(what) {}
  explicit failure(const dupq::error& e) : std::runtime_error(text(e)) {}

 private:
  static std::string text(dupq::error e) {
    std::string why;
    using enum dupq::errc;
    if ((e.code == cannot_open || e.code == cannot_read || e.code == cannot_write) && e.found != 0) {
      why = std::string(": ") + std::strerror(static_cast<int>(e.found));
      e.expected = e.found = 0;
    }
    if (e.code == in_use) why = ": another program is changing it";
    char line[512];
    return std::string(line, e.format(line, sizeof line)) + why;
  }
};

/// The command was called wrongly (exit status 2).
class usage_error : public std::runtime_error {
 public:
  explicit usage_error(const std::string& what) : std::runtime_error(what) {}
};

}  // namespace dupq_tool
