// A line on the terminal that says how far long work has come; silent where stderr is no terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "format.hpp"
#include "os.hpp"

namespace dupq_tool {

class progress {
 public:
  /// `unit`: what is counted, in the plural. `total`: 0 where it is not known. `wanted`: false where results are
  /// printed to the same terminal.
  explicit progress(std::string unit, std::uint64_t total = 0, bool wanted = true)
      : unit_(std::move(unit)), total_(total), shows_(wanted && os::is_terminal(os::standard_error)) {}
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  ~progress() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }

  /// `done` units are; `fraction` of the work where the total is not known (0: not known either). `before`: what the
  /// line begins with.
  void update(std::uint64_t done, double fraction = 0, const std::string& before = {}) {
    const clock::time_point now = clock::now();
    if (!shows_ || now - drawn_ < std::chrono::milliseconds(100)) return;
    drawn_ = now;
    shown_ = true;
    const std::string line =
        "\r" + before + text(done, fraction, std::chrono::duration<double>(now - start_).count()) + "\033[K";
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
  }

  /// "1,200/40,000 questions, 830/s, 47 s left".
  std::string text(std::uint64_t done, double fraction, double seconds) const {
    std::string line = grouped(done);
    if (total_ != 0) {
      line += '/' + grouped(total_);
      fraction = static_cast<double>(done) / static_cast<double>(total_);
    }
    line += ' ' + unit_;
    if (total_ == 0 && fraction > 0) line += ", " + fixed(100 * fraction, 0) + "%";
    if (seconds > 0) line += ", " + fixed(static_cast<double>(done) / seconds, 0) + "/s";
    if (fraction > 0) line += ", " + duration(seconds / fraction - seconds) + " left";
    return line;
  }

 private:
  using clock = std::chrono::steady_clock;

  static std::string duration(double seconds) {
    if (seconds < 120) return fixed(seconds < 0 ? 0 : seconds, 0) + " s";
    if (seconds < 7200) return fixed(seconds / 60, 0) + " min";
    return fixed(seconds / 3600, 1) + " h";
  }

  std::string unit_;
  std::uint64_t total_;
  bool shows_, shown_ = false;
  clock::time_point start_ = clock::now(), drawn_ = start_;
};

}  // namespace dupq_tool
