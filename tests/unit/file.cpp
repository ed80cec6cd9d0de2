#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <dupq/core/file.hpp>
#include <dupq/core/os.hpp>
#include <string>
#include <utility>

#include "unit/temporary_folder.hpp"
#if defined(DUPQ_POSIX)
#include <sys/stat.h>
#endif

namespace {

using open_function = dupq::result<dupq::mapped_file> (*)(const char*);
constexpr open_function ways[] = {[](const char* path) { return dupq::mapped_file::open(path); },
                                  [](const char* path) { return dupq::mapped_file::open(path, true); },
                                  [](const char* path) { return dupq::mapped_file::read(path); }};

std::string text_of(const dupq::mapped_file& f) {
  return {reinterpret_cast<const char*>(f.bytes().data()), f.bytes().size()};
}

}  // namespace

TEST_CASE("a file's bytes, also after moves") {
  const temporary_folder folder;
  const std::string content = std::string("a\0b\r\n\x1a", 6) + std::string(10000, 'x');
  const std::string one = folder.write("m.gguf", content),
                    other = folder.write("Fragen und Stra\u00dfen \u554f", "2nd");
  for (const auto open : ways) {
    auto first = open(one.c_str());
    auto second = open(other.c_str());
    REQUIRE(first);
    REQUIRE(second);
    CHECK(text_of(*first) == content);
    CHECK(reinterpret_cast<std::uintptr_t>(first->bytes().data()) % dupq::alignment == 0);
    dupq::mapped_file moved = std::move(*first);
    CHECK(text_of(moved) == content);
    moved = std::move(*second);
    CHECK(text_of(moved) == "2nd");
  }
}

TEST_CASE("a file that was read may change and go") {
  const temporary_folder folder;
  const std::string path = folder.write("m.gguf", "as it was");
  const auto file = dupq::mapped_file::read(path.c_str());
  REQUIRE(file);
  folder.write("m.gguf", "");
  CHECK(text_of(*file) == "as it was");
  CHECK(std::filesystem::remove(folder.path() / "m.gguf"));
  CHECK(text_of(*file) == "as it was");
}

TEST_CASE("what is no readable file is an error that names it") {
  const temporary_folder folder;
  for (const auto open : ways) {
    const auto code = [&](const std::string& path) {
      const auto f = open(path.c_str());
      REQUIRE(!f);
      CHECK(path.ends_with(std::string(f.error().file).substr(3)));
      return f.error().code;
    };
    CHECK(code(folder.file("nowhere")) == dupq::errc::no_such_file);
    CHECK(code(folder.path().string()) == dupq::errc::is_a_directory);
    CHECK(code(folder.write("empty", "")) == dupq::errc::not_gguf);
#if defined(DUPQ_POSIX)
    CHECK(code(folder.write("plain", "x") + "/below") == dupq::errc::cannot_open);
    if (mkfifo(folder.file("pipe").c_str(), 0600) != 0) REQUIRE(errno == EEXIST);
    CHECK(code(folder.file("pipe")) == dupq::errc::not_gguf);  // and no waiting for who writes to it
#else
    CHECK(code(folder.file("") + "no\xffUTF-8") == dupq::errc::cannot_open);
#endif
  }
}

TEST_CASE("memory is aligned") {
  for (const std::size_t n : {0u, 1u, 64u, 100'000u}) {
    void* const memory = dupq::os::allocate(n);
    REQUIRE(memory != nullptr);
    CHECK(reinterpret_cast<std::uintptr_t>(memory) % dupq::alignment == 0);
    std::memset(memory, 1, n);
    dupq::os::release(memory);
  }
}
