#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstring>
#include <dupq/core/file.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace {

class folder {
 public:
  folder() { REQUIRE(mkdtemp(path_) != nullptr); }
  ~folder() { std::filesystem::remove_all(path_); }
  std::string file(const char* name) const { return std::string(path_) + "/" + name; }
  std::string write(const char* name, const std::string& content) const {
    std::ofstream(file(name), std::ios::binary) << content;
    return file(name);
  }

 private:
  char path_[32] = "/tmp/dupq-file-XXXXXX";
};

std::string text_of(const dupq::mapped_file& f) {
  return {reinterpret_cast<const char*>(f.bytes().data()), f.bytes().size()};
}

}  // namespace

TEST_CASE("a file's bytes, also after moves and after the file is gone") {
  const folder temporary;
  const std::string content = std::string("a\0b\n", 4) + std::string(10000, 'x');
  auto first = dupq::mapped_file::open(temporary.write("m.gguf", content).c_str());
  auto second = dupq::mapped_file::open(temporary.write("other", "second").c_str());
  REQUIRE(first);
  REQUIRE(second);
  std::filesystem::remove(temporary.file("m.gguf"));
  CHECK(text_of(*first) == content);
  dupq::mapped_file moved = std::move(*first);
  CHECK(text_of(moved) == content);
  moved = std::move(*second);
  CHECK(text_of(moved) == "second");
}

TEST_CASE("what is no readable file is an error that names it") {
  const folder temporary;
  const auto code = [](const std::string& path) {
    const auto f = dupq::mapped_file::open(path.c_str());
    REQUIRE(!f);
    CHECK(path.ends_with(std::string(f.error().file).substr(3)));
    return f.error().code;
  };
  CHECK(code(temporary.file("nowhere")) == dupq::errc::no_such_file);
  CHECK(code(temporary.file("")) == dupq::errc::is_a_directory);
  CHECK(code(temporary.write("empty", "")) == dupq::errc::not_gguf);
  CHECK(code(temporary.write("plain", "x") + "/below") == dupq::errc::cannot_open);
  REQUIRE(mkfifo(temporary.file("pipe").c_str(), 0600) == 0);
  CHECK(code(temporary.file("pipe")) == dupq::errc::not_gguf);  // and no waiting for who writes to it
}
