// The file that --report names: opened before models run, which takes minutes, and written after them.
#pragma once

#include <optional>
#include <string>

#include "args.hpp"
#include "failure.hpp"
#include "output_file.hpp"
#include "report.hpp"

namespace dupq_tool {

class report_file {
 public:
  explicit report_file(const arguments& args) {
    const auto path = args.text("--report");
    if (!path) return;
    report::check_name(*path);
    out_.emplace(*path);
  }

  void write(const report::content& c) {
    if (!out_) return;
    try {
      out_->write(report::page(c));
      out_->commit();
    } catch (const failure& e) {
      failed_ = e;
    }
  }

  /// Fails if the page could not be written: to be called when all other results are out, which must not be lost.
  void finish() const {
    if (failed_) throw failure(*failed_);
  }

 private:
  std::optional<output_file> out_;
  std::optional<failure> failed_;
};

}  // namespace dupq_tool
