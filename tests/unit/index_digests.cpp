// An index knows whether a byte of it has changed since it was written.
#include <doctest/doctest.h>

#include <cstddef>
#include <dupq/index.hpp>
#include <map>
#include <string>

#include "support/made_up_index.hpp"
#include "support/two_segments.hpp"

namespace {

using dupq::index_reader, dupq::index_writer;

struct checked_index : made_up::two_segments {
  /// What is wrong with it; empty: nothing.
  std::string wrong() const {
    const auto index = index_reader::open(folder);
    if (!index) return "not opened: " + index.error().message();
    const auto done = index->verify();
    return done ? "" : done.error().message();
  }
};

}  // namespace

TEST_CASE("every byte counts, and its part is named") {
  const checked_index index;
  CHECK(index.wrong() == "");
  std::map<std::string, std::size_t> named;
  for (const std::string name : {"segment-1.gguf", "segment-2.gguf", "manifest.gguf"}) {
    const std::string good = index.bytes(name);
    for (std::size_t at = 0; at < good.size(); ++at) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 1 << at % 8);
      index.write(name, bad);
      const std::string said = index.wrong();
      CHECK(said.find("i/" + name + ": ") != std::string::npos);
      if (said.find("not opened") == std::string::npos) ++named[said.substr(said.find(".gguf: "))];
    }
    index.write(name, good);
    CHECK(index.wrong() == "");
  }
  for (const std::string part : {"header", "vectors", "packed", "order", "ids", "texts"})
    CHECK(named[".gguf: " + part + ": damaged"] > 60);
  // A changed digest names the part that it is of; without its name, nothing is verified.
  CHECK(named.size() == 7);
  CHECK(named[".gguf: digests: missing tensor"] > 6);
}

TEST_CASE("cut, longer and swapped segments") {
  const checked_index index;
  const std::string one = index.bytes("segment-1.gguf"), two = index.bytes("segment-2.gguf");
  for (std::size_t size = 0; size < one.size(); size += size < 2000 ? 97 : 61) {
    index.write("segment-1.gguf", one.substr(0, size));
    CHECK(index.wrong() != "");
  }
  for (const std::size_t more : {std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{384}}) {
    index.write("segment-1.gguf", one + std::string(more, '\0'));
    CHECK(index.wrong().find("digests: damaged") != std::string::npos);
  }
  index.write("segment-1.gguf", two);
  CHECK(index.wrong() != "");
}

TEST_CASE("a segment from before there were digests is read, and cannot be verified") {
  const checked_index index;
  for (const std::string name : {"segment-1.gguf", "segment-2.gguf"}) {
    std::string old = index.bytes(name);
    old.replace(old.find("digests"), 7, "another");
    index.write(name, old);
    CHECK(index.wrong().find("segment-1.gguf: digests: missing tensor") != std::string::npos);  // the first one
    const auto opened = index_reader::open(index.folder);
    REQUIRE(opened);
    CHECK(made_up::contents(*opened).size() == 20);
    CHECK(made_up::found(*opened, made_up::vector(7), 1, -2)[0].id == "id7");
    if (name != "segment-1.gguf") continue;
    // What is damaged is worse than what is old.
    const std::string other = index.bytes("segment-2.gguf");
    std::string bad = other;
    bad[bad.size() - 385] ^= 1;
    index.write("segment-2.gguf", bad);
    CHECK(index.wrong().find("segment-2.gguf: texts: damaged") != std::string::npos);
    index.write("segment-2.gguf", other);
  }
  auto w = index_writer::open(index.folder);
  REQUIRE(w);
  REQUIRE(w->compact());
  REQUIRE(w->commit());
  CHECK(index.wrong() == "");
}
