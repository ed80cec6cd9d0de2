// The steps of a training as a CSV file: `dupq train --log`.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "failure.hpp"
#include "format.hpp"
#include "input_file.hpp"
#include "output_file.hpp"

namespace dupq_tool {

/// Rows "step,lr,loss,gradient_norm"; steps count from 1. The file is written anew, whole, every few seconds, and by
/// `save`.
class step_log {
 public:
  /// `done`: so many steps were done before. Their rows are kept where the file has them.
  step_log(std::string path, std::uint64_t done) : path_(std::move(path)), text_(header) {
    if (done != 0 && os::look_at(path_).regular) keep_rows(done);
    save();
  }

  void add(std::uint64_t step, double rate, double loss, double gradient_norm) {
    text_ += std::to_string(step) + ',' + shortest(rate) + ',' + shortest(loss) + ',' + shortest(gradient_norm) + '\n';
    if (std::chrono::steady_clock::now() - saved_ > std::chrono::seconds(5)) save();
  }
  void save() {
    saved_ = std::chrono::steady_clock::now();  // first, so that on a full disk not every step tries again
    output_file out(path_);
    out.write(text_);
    out.commit();
  }

 private:
  static constexpr std::string_view header = "step,lr,loss,gradient_norm\n";

  void keep_rows(std::uint64_t done) {
    input_file file(path_);
    std::string all(static_cast<std::size_t>(file.size()), '\0');
    for (std::size_t at = 0, n; at < all.size() && (n = file.read(all.data() + at, all.size() - at)) != 0;) at += n;
    std::string_view rest = all;
    if (!rest.starts_with(header)) throw failure(path_ + ": is no log of a training");
    rest.remove_prefix(header.size());
    for (std::size_t end; (end = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(end + 1)) {
      std::uint64_t step = 0;
      std::from_chars(rest.data(), rest.data() + end, step);
      if (step == 0 || step > done) break;
      text_.append(rest.substr(0, end + 1));
    }
  }

  std::string path_, text_;
  std::chrono::steady_clock::time_point saved_{};
};

}  // namespace dupq_tool
