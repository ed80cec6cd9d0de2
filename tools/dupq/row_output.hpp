// Rows of named fields, as CSV or as JSON Lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "csv.hpp"
#include "format.hpp"
#include "json.hpp"
#include "output_file.hpp"

namespace dupq_tool {

class row_output {
 public:
  /// CSV begins with a header of the names. `objects`: JSON Lines.
  row_output(output_file& out, bool objects, std::initializer_list<std::string_view> names)
      : out_(out), objects_(objects), names_(names.begin(), names.end()) {
    if (objects_) return;
    for (std::size_t i = 0; i < names_.size(); ++i) (line_ += i == 0 ? "" : ",") += names_[i];
    finish();
  }

  row_output& number(std::uint64_t value) { return next(std::to_string(value)); }
  row_output& number(float value) { return next(shortest(value)); }
  row_output& text(std::string_view value) { return next(objects_ ? json::quote(value) : csv_field(value, ',')); }
  void end() {
    if (objects_) line_ += '}';
    at_ = 0;
    finish();
  }

 private:
  row_output& next(const std::string& field) {
    if (objects_)
      ((line_ += at_ == 0 ? "{\"" : ", \"") += names_[at_]) += "\": ";
    else if (at_ != 0)
      line_ += ',';
    line_ += field;
    ++at_;
    return *this;
  }
  void finish() {
    line_ += '\n';
    out_.write(line_);
    line_.clear();
  }

  output_file& out_;
  bool objects_;
  std::vector<std::string_view> names_;
  std::size_t at_ = 0;
  std::string line_;
};

}  // namespace dupq_tool
