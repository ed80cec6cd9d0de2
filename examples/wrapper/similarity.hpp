// What most of a large program needs to see of dupq. Including it costs nothing: one .cpp file compiles the library.
#pragma once

#include <memory>
#include <string>
#include <string_view>

/// How alike two questions are, by whichever kind of model the file holds.
class similarity {
 public:
  explicit similarity(const std::string& model_path);  ///< throws std::runtime_error with a line that says why not
  ~similarity();

  float operator()(std::string_view a, std::string_view b);

 private:
  struct implementation;
  std::unique_ptr<implementation> own_;
};
