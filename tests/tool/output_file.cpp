#include "output_file.hpp"

#include <doctest/doctest.h>
#if !defined(_WIN32)
#include <sys/stat.h>
#include <unistd.h>
#endif

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "unit/temporary_folder.hpp"

using namespace dupq_tool;
namespace fs = std::filesystem;

namespace {

/// A folder that disappears.
struct folder : temporary_folder {
  std::string operator/(const std::string& name) const { return file(name); }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path()), fs::directory_iterator{}));
  }
};

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a file appears at its commit") {
  const folder f;
  output_file out(f / "a");
  out.write("hello ");
  out.write(std::string(200000, 'x'));
  CHECK_FALSE(fs::exists(f / "a"));
  out.commit();
  CHECK(contents(f / "a") == "hello " + std::string(200000, 'x'));
  CHECK(f.files() == 1);
}

TEST_CASE("a large file in many writes is what was written, an overwritten header too") {
  const folder f;
  std::string all;
  output_file out(f / "a");
  for (int i = 0; all.size() < (9u << 20); ++i) {
    const std::string part(static_cast<std::size_t>(1000 + 997 * (i % 90)), static_cast<char>('a' + i % 26));
    out.write(part);
    all += part;
  }
  out.overwrite(0, "header");
  out.write("end");
  out.commit();
  CHECK(contents(f / "a") == "header" + all.substr(6) + "end");
}

TEST_CASE("without a commit the old file stays and nothing else does") {
  const folder f;
  std::ofstream(f / "a") << "old";
  {
    output_file out(f / "a");
    out.write("new");
    out.flush();
  }
  CHECK(contents(f / "a") == "old");
  CHECK(f.files() == 1);
}

TEST_CASE("bytes written earlier can be replaced") {
  const folder f;
  output_file out(f / "a");
  CHECK(out.seekable());
  out.write("0000 rows");
  out.overwrite(2, "12");
  out.write("!");
  out.commit();
  CHECK(contents(f / "a") == "0012 rows!");
}

TEST_CASE("places beyond 4 GiB") {
  const folder f;
  constexpr std::uint64_t far = (std::uint64_t{5} << 30) + 3;
  const int out = os::create_new(f / "a", 0666);
  REQUIRE(out >= 0);
  CHECK(os::write_at(out, 0, "near"));
  CHECK(os::write_at(out, far, "far"));  // what is between takes no place on the disk, where file systems can
  CHECK(os::look_at(out).size == far + 3);
  CHECK(os::close(out));
  CHECK(os::look_at(f / "a").size == far + 3);

  const int in = os::open_input(f / "a");
  REQUIRE(in >= 0);
  const auto at = [&](std::uint64_t offset) {
    char text[4]{};
    const auto n = os::read_at(in, offset, text, sizeof text);
    return std::string(text, n < 0 ? 0 : static_cast<std::size_t>(n));
  };
  CHECK(at(0) == "near");
  CHECK(at(far) == "far");
  CHECK(at(far & 0xFFFFFFFFu) == std::string(4, '\0'));
  CHECK(at(far + 3).empty());
  CHECK(os::close(in));

  std::ifstream stream(f / "a", std::ios::binary);  // training reads its checkpoints so
  stream.seekg(static_cast<std::streamoff>(far));
  std::string text(3, ' ');
  CHECK(stream.read(text.data(), 3));
  CHECK(text == "far");
  CHECK(stream.tellg() == static_cast<std::streamoff>(far) + 3);
}

TEST_CASE("two writers of one name each write a whole file, and the last one stays") {
  const folder f;
  std::string long_a, long_b;
  output_file a(f / "out"), b(f / "out");
  for (int i = 0; i < 300; ++i) {
    a.write(std::string(50000, 'a')), long_a += std::string(50000, 'a');
    b.write(std::string(60000, 'b')), long_b += std::string(60000, 'b');
  }
  b.commit();
  CHECK(contents(f / "out") == long_b);
  a.commit();
  CHECK(contents(f / "out") == long_a);
  CHECK(f.files() == 1);
}

TEST_CASE("a name as long as names can be") {
  const folder f;
  const std::string name(255, 'n');
  output_file out(f / name);
  out.write("x");
  out.commit();
  CHECK(contents(f / name) == "x");
  CHECK(f.files() == 1);
}

TEST_CASE("a signal's clean-up removes all files that are not complete, and only these") {
  const folder f;
  std::ofstream(f / "other") << "x";
  output_file done(f / "done");
  done.write("whole");
  done.commit();
  output_file a(f / "a"), b(f / "b");
  a.flush();
  CHECK(f.files() == 4);
  unfinished::remove_all();
  CHECK(f.files() == 2);
  CHECK(contents(f / "done") == "whole");
}

TEST_CASE("what cannot be written is named") {
  const folder f;
  CHECK_THROWS_WITH_AS(output_file(f.path().string()), (f.path().string() + ": is a directory").c_str(), failure);
  CHECK_THROWS_WITH_AS(output_file(f / "no/such"),
                       ((f / "no/such") + ": cannot be created: No such file or directory").c_str(), failure);
  if (fs::exists("/dev/full")) {
    output_file out("/dev/full");
    CHECK_FALSE(out.seekable());
    out.write("x");
    CHECK_THROWS_WITH_AS(out.commit(), "/dev/full: cannot be written: No space left on device", failure);
  }
}

#if !defined(_WIN32)
TEST_CASE("a replaced file keeps its mode, a link its target") {
  const folder f;
  std::ofstream(f / "a") << "old";
  ::chmod((f / "a").c_str(), 0640);
  fs::create_symlink("a", f / "link");
  output_file out(f / "link");
  out.write("new");
  out.commit();
  CHECK(contents(f / "a") == "new");
  CHECK(fs::is_symlink(f / "link"));
  struct stat status {};
  REQUIRE(::stat((f / "a").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0640);
}

TEST_CASE("temporary names cannot be guessed, and nothing that is there is opened, a link least of all") {
  const folder f;
  std::ofstream(f / "victim") << "precious";
  fs::create_symlink("victim", f / "planted");
  fs::create_symlink("nowhere", f / "dangling");
  for (const char* name : {"planted", "dangling", "victim"}) {
    CHECK(os::create_new(f / name, 0666) < 0);
    CHECK(errno == EEXIST);
  }
  CHECK_FALSE(fs::exists(f / "nowhere"));
  CHECK(contents(f / "victim") == "precious");
  output_file a(f / "out"), b(f / "out");
  const std::string first = (f / "out") + ".partial-";
  CHECK(a.temporary().substr(0, first.size()) == first);
  CHECK(a.temporary().size() == first.size() + 16);
  CHECK(a.temporary() != b.temporary());
}

TEST_CASE("a new file has the mode that the process gives to new files") {
  const folder f;
  const ::mode_t before = ::umask(027);
  output_file out(f / "a");
  out.commit();
  ::umask(before);
  struct stat status {};
  REQUIRE(::stat((f / "a").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0640);
}

TEST_CASE("what may not be written is not replaced") {
  const folder f;
  std::ofstream(f / "kept") << "old";
  ::chmod((f / "kept").c_str(), 0444);
  if (::geteuid() != 0)
    CHECK_THROWS_WITH_AS(output_file(f / "kept"), ((f / "kept") + ": cannot be replaced: Permission denied").c_str(),
                         failure);
}

#endif
