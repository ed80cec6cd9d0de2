// A folder of a test's own that disappears with it.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

class temporary_folder {
 public:
  temporary_folder() {
    std::random_device random;
    path_ = std::filesystem::temp_directory_path() / ("dupq-" + std::to_string(random()) + std::to_string(random()));
    REQUIRE(std::filesystem::create_directory(path_));
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const noexcept { return path_; }
  /// The name of a file in it, in UTF-8, as all of dupq's paths are.
  std::string file(const std::string& name) const {
    const std::u8string all = (path_ / std::u8string(name.begin(), name.end())).u8string();
    return {all.begin(), all.end()};
  }
  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / std::u8string(name.begin(), name.end()), std::ios::binary) << content;
    return file(name);
  }

 private:
  std::filesystem::path path_;
};
