#include "safetensors.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

using namespace dupq_tool;

namespace {

/// A file of a header and `data` bytes 0, 1, 2 ...
std::string file_of(const std::string& header, std::size_t data) {
  const std::uint64_t length = header.size();
  std::string out(reinterpret_cast<const char*>(&length), sizeof length);
  out += header;
  for (std::size_t i = 0; i < data; ++i) out += static_cast<char>(i);
  return out;
}

std::string trouble(const std::string& bytes) {
  try {
    (void)safetensors::file(std::as_bytes(std::span(bytes)), "f");
  } catch (const failure& e) {
    return e.what();
  }
  return "";
}

std::string trouble(const std::string& header, std::size_t data) { return trouble(file_of(header, data)); }

/// The most memory that this process has had, in bytes.
[[maybe_unused]] std::size_t peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmHWM:") return status >> word, std::stoul(word) * 1024;
  return 0;
}

}  // namespace

TEST_CASE("tensors are found by name and decoded") {
  std::string bytes =
      file_of(R"({"__metadata__": {"format": "pt"}, "h": {"dtype": "F16", "shape": [3], "data_offsets": [8, 14]},)"
              R"( "f": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]},)"
              R"( "b": {"dtype": "BF16", "shape": [], "data_offsets": [14, 16]},)"
              R"( "i": {"dtype": "I64", "shape": [1], "data_offsets": [16, 24]}})",
              0);
  const float f[2] = {1.5f, -2.0f};
  const std::uint16_t h[4] = {0x3C00, 0x0001, 0xC000, 0x3F80};
  bytes.append(reinterpret_cast<const char*>(f), sizeof f).append(reinterpret_cast<const char*>(h), sizeof h);
  bytes.append(8, '\0');
  const safetensors::file file(std::as_bytes(std::span(bytes)), "f");
  CHECK(file.tensors().size() == 4);
  CHECK(file.find("x") == nullptr);
  CHECK(file.find("f")->shape == std::vector<std::uint64_t>{1, 2});
  std::vector<float> two(2), one(1);
  file.find("f")->read(0, two);
  CHECK(two == std::vector<float>{1.5f, -2.0f});
  file.find("h")->read(1, two);
  CHECK(two == std::vector<float>{0x1p-24f, -2.0f});
  file.find("b")->read(0, one);
  CHECK(one[0] == 1.0f);
  CHECK(file.find("b")->elements == 1);
  CHECK_FALSE(file.find("i")->is_real());
}

TEST_CASE("a header that lies about itself is refused") {
  CHECK(trouble(std::string("1234567")) == "f: ends within its 8-byte header length");
  CHECK(trouble(std::string(8, '\xFF') + "{}") ==
        "f: a header of 18446744073709551615 bytes does not fit a file of 10");
  CHECK(trouble(file_of("{}", 0).substr(0, 9)) == "f: a header of 2 bytes does not fit a file of 9");
  CHECK(trouble("[]", 0) == "f: header: an object is expected");
  CHECK(trouble("{\"a\" }", 0) == "f: header: line 1, byte 5: ':' is expected");
}

TEST_CASE("a description that lies about its tensor is refused") {
  const auto one = [](const std::string& description, std::size_t data) {
    return trouble("{\"a\": " + description + "}", data);
  };
  CHECK(one("1", 0) == "f: tensor \"a\": an object is expected");
  CHECK(one(R"({"dtype": "F4", "shape": [1], "data_offsets": [0, 1]})", 1) ==
        "f: tensor \"a\": dtype \"F4\" is not known");
  CHECK(one(R"({"dtype": "U8", "data_offsets": [0, 1]})", 1) == "f: tensor \"a\": shape: missing");
  CHECK(one(R"({"dtype": "U8", "shape": [-1], "data_offsets": [0, 1]})", 1) ==
        "f: tensor \"a\": shape: a whole number is expected");
  CHECK(one(R"({"dtype": "U8", "shape": [1.5], "data_offsets": [0, 1]})", 1) ==
        "f: tensor \"a\": shape: a whole number is expected");
  CHECK(one(R"({"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 0]})", 0) ==
        "f: tensor \"a\": shape: too large");
  CHECK(one(R"({"dtype": "U8", "shape": [1], "data_offsets": [0]})", 1) ==
        "f: tensor \"a\": data_offsets: two numbers are expected");
  CHECK(one(R"({"dtype": "U8", "shape": [2], "data_offsets": [0, 2]})", 1) ==
        "f: tensor \"a\": data_offsets [0, 2] lie outside the 1 bytes of data");
  CHECK(one(R"({"dtype": "U8", "shape": [1], "data_offsets": [1, 0]})", 1) ==
        "f: tensor \"a\": data_offsets [1, 0] lie outside the 1 bytes of data");
  CHECK(one(R"({"dtype": "F32", "shape": [2], "data_offsets": [0, 4]})", 4) ==
        "f: tensor \"a\": data_offsets hold 4 bytes, its shape needs 8");
}

TEST_CASE("names with escapes, members that nobody needs, and shapes of many dimensions") {
  const std::string bytes = file_of(
      R"({"__metadata__": {"a": "b"}, "\u0061\"": {"dtype": "U8", "more": [{"x": null}], "shape": [2], "data_offsets": [0, 2]},)"
      R"( "b": {"dtype": "U8", "shape": [1, 1, 1, 1, 3], "data_offsets": [2, 5]}})",
      5);
  const safetensors::file file(std::as_bytes(std::span(bytes)), "f");
  REQUIRE(file.find("a\"") != nullptr);
  CHECK(file.find("a\"")->bytes.size() == 2);
  CHECK(file.find("b")->shape.count == 5);
  CHECK_FALSE(file.find("b")->shape == std::vector<std::uint64_t>{1, 1, 1, 1, 3});
  CHECK(trouble(R"({"\u0061": {"dtype": "U8", "shape": [], "data_offsets": [0, 1]},)"
                R"( "a": {"dtype": "U8", "shape": [], "data_offsets": [1, 2]}})",
                2) == "f: tensor \"a\": is described twice");
  CHECK(trouble(R"({"a": {"dtype": "U8", "shape": [], "shape": [], "data_offsets": [0, 1]}})", 1) ==
        "f: tensor \"a\": shape appears twice");
  CHECK(trouble("{\"a\": {\"x\": " + std::string(100, '[') + "1", 0).ends_with("nested too deeply"));
}

#if defined(__linux__)
TEST_CASE("a large header takes a few times its size of memory") {
  std::string header = "{";  // 20 MB of the shortest descriptions
  for (std::size_t i = 0; header.size() < 20'000'000; ++i)
    header += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  header += "}";
  const std::string bytes = file_of(header, 0);
  const std::size_t before = peak_memory();
  const safetensors::file file(std::as_bytes(std::span(bytes)), "f");
  CHECK(file.tensors().size() > 300'000);
  CHECK(peak_memory() - before < 75'000'000);
}
#endif

TEST_CASE("tensors tile the data") {
  const auto two = [](const char* first, const char* second, std::size_t data) {
    return trouble(std::string(R"({"a": {"dtype": "U8", "shape": [2], "data_offsets": )") + first +
                       R"(}, "b": {"dtype": "U8", "shape": [2], "data_offsets": )" + second + "}}",
                   data);
  };
  CHECK(two("[0, 2]", "[2, 4]", 4) == "");
  CHECK(two("[2, 4]", "[0, 2]", 4) == "");
  CHECK(two("[0, 2]", "[1, 3]", 4) == "f: tensor \"b\": shares bytes with another tensor");
  CHECK(two("[0, 2]", "[3, 5]", 5) == "f: tensor \"b\": bytes 2 to 3 before it belong to no tensor");
  CHECK(two("[0, 2]", "[2, 4]", 5) == "f: the last 1 bytes belong to no tensor");
  CHECK(trouble(R"({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},)"
                R"( "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}})",
                1) == "f: tensor \"a\": is described twice");
}
