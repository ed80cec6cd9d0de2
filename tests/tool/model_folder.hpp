// A copy of one of the golden folders that a test may damage, and its conversion.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "convert.hpp"

namespace dupq_tool {

class model_folder {
 public:
  explicit model_folder(const std::string& golden)
      : root_(std::filesystem::temp_directory_path() / ("dupq-convert-" + std::to_string(::getpid()))),
        folder_(root_ / golden) {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
    std::filesystem::copy(std::filesystem::path(DUPQ_TEST_DIR) / "../golden" / golden, folder_,
                          std::filesystem::copy_options::recursive);
  }
  model_folder(const model_folder&) = delete;
  model_folder& operator=(const model_folder&) = delete;
  ~model_folder() { std::filesystem::remove_all(root_); }

  std::filesystem::path path(const std::string& name) const { return folder_ / name; }
  std::filesystem::path output() const { return root_ / "out.gguf"; }

  std::string read(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    REQUIRE(file);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  void write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories(path(name).parent_path());
    std::ofstream(path(name), std::ios::binary) << bytes;
  }
  void remove(const std::string& name) const { REQUIRE(std::filesystem::remove_all(path(name)) > 0); }
  /// Replaces the only place where `from` stands.
  void edit(const std::string& name, const std::string& from, const std::string& to) const {
    std::string bytes = read(name);
    const std::size_t at = bytes.find(from);
    INFO(name, ": ", from);
    REQUIRE(at != bytes.npos);
    REQUIRE(bytes.find(from, at + 1) == bytes.npos);
    write(name, bytes.replace(at, from.size(), to));
  }
  /// Changes the header of model.safetensors; the data stays.
  void edit_header(const std::string& from, const std::string& to) const {
    std::string bytes = read("model.safetensors");
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    const std::size_t at = bytes.find(from);
    INFO("header: ", from);
    REQUIRE(at < length);
    bytes.replace(at, from.size(), to);
    length += to.size() - from.size();
    std::memcpy(bytes.data(), &length, sizeof length);
    write("model.safetensors", bytes);
  }
  /// Overwrites elements of a tensor of type F32, from element `first` on.
  void edit_values(const std::string& name, std::size_t first, const std::vector<float>& values) const {
    std::string bytes = read("model.safetensors");
    const safetensors::file file(std::as_bytes(std::span(bytes)), "source");
    const safetensors::tensor* const t = file.find(name);
    REQUIRE_MESSAGE((t != nullptr && t->type == "F32" && first + values.size() <= t->elements), name);
    const auto at = reinterpret_cast<const char*>(t->bytes.data()) - bytes.data();
    std::memcpy(bytes.data() + at + static_cast<std::ptrdiff_t>(4 * first), values.data(), 4 * values.size());
    write("model.safetensors", bytes);
  }

  convert_summary convert(const convert_options& options = {}) const {
    return dupq_tool::convert(folder_.string(), output().string(), options);
  }
  /// What the conversion says, without the folder's path; empty if it works. A failure leaves nothing behind.
  std::string trouble() const {
    try {
      (void)convert();
    } catch (const failure& e) {
      CHECK(std::distance(std::filesystem::directory_iterator(root_), {}) == 1);
      std::string what = e.what();
      const std::string prefix = folder_.string();
      for (std::size_t at; (at = what.find(prefix)) != what.npos;) what.erase(at, prefix.size());
      return what.starts_with("/") ? what.substr(1) : what;
    }
    return "";
  }

 private:
  std::filesystem::path root_, folder_;
};

}  // namespace dupq_tool
