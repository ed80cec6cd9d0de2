#include <doctest/doctest.h>

#include <cstring>
#include <dupq/index.hpp>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "support/made_up_index.hpp"
#include "unit/temporary_folder.hpp"

namespace {

using dupq::errc, dupq::index_reader, dupq::index_writer, dupq::similarity;
using entries = std::vector<made_up::entry>;
constexpr float lowest = -std::numeric_limits<float>::infinity();

index_writer create(const std::string& folder, similarity like = similarity::cosine) {
  auto w = index_writer::create(folder, made_up::model(like));
  REQUIRE_MESSAGE(w, (w ? "" : w.error().message()));
  return std::move(*w);
}
index_writer reopen(const std::string& folder) {
  auto w = index_writer::open(folder);
  REQUIRE_MESSAGE(w, (w ? "" : w.error().message()));
  return std::move(*w);
}
index_reader read(const std::string& folder) {
  auto r = index_reader::open(folder);
  REQUIRE_MESSAGE(r, (r ? "" : r.error().message()));
  return std::move(*r);
}
void ok(const dupq::result<void>& done) { REQUIRE_MESSAGE(done, (done ? "" : done.error().message())); }
template <class T>
void fails(const dupq::result<T>& done, errc code, const std::string& says) {
  REQUIRE(!done);
  CHECK(done.error().code == code);
  CHECK_MESSAGE(done.error().message().find(says) != std::string::npos, done.error().message());
}

/// The folder holds an index of exactly these entries, and searches find what the definition says.
void check(const std::string& folder, const entries& all, similarity like = similarity::cosine) {
  const index_reader index = read(folder);
  CHECK(index.size() == all.size());
  CHECK(made_up::same(made_up::contents(index), all));
  for (const std::uint32_t seed : {3u, 70u, 1000u}) {
    const auto query = made_up::vector(seed);
    for (const std::size_t k : {std::size_t{1}, std::size_t{5}, all.size() + 10})
      for (const float threshold : {lowest, 0.25f})
        CHECK(made_up::found(index, query, k, threshold) == made_up::expected(all, query, k, threshold, like));
  }
}

}  // namespace

TEST_CASE("an index holds what was added and not removed, whatever its segments are") {
  for (const similarity like : {similarity::cosine, similarity::dot, similarity::euclidean, similarity::manhattan}) {
    const temporary_folder temporary;
    const std::string folder = temporary.file("an index");
    entries all = made_up::entries(0, 100);
    {
      index_writer w = create(folder, like);
      ok(made_up::add(w, all));
      CHECK(!std::filesystem::exists(folder + "/manifest.gguf"));  // nobody sees it before it is complete
      ok(w.commit());
    }
    check(folder, all, like);
    for (const std::size_t count : {1u, 17u, 64u, 65u}) {
      index_writer w = reopen(folder);
      const entries more = made_up::entries(all.size(), count);
      ok(made_up::add(w, more));
      ok(w.commit());
      all.insert(all.end(), more.begin(), more.end());
    }
    check(folder, all, like);
    {
      index_writer w = reopen(folder);
      CHECK(w.segment_count() == 5);
      ok(w.remove({"id0", "id99", "id100", "id246", "id3", "id3"}));
      ok(w.commit());
      std::erase_if(all, [](const auto& e) {
        return e.id == "id0" || e.id == "id99" || e.id == "id100" || e.id == "id246" || e.id == "id3";
      });
    }
    check(folder, all, like);
    {
      index_writer w = reopen(folder);
      ok(w.remove({"id1"}));
      ok(w.compact());
      CHECK(w.segment_count() == 1);
      ok(w.commit());
      std::erase_if(all, [](const auto& e) { return e.id == "id1"; });
    }
    check(folder, all, like);
    CHECK(read(folder).rows() == all.size());
    std::size_t files = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder)) files += file.is_regular_file();
    CHECK(files == 3);  // the manifest, the lock and one segment
  }
}

TEST_CASE("a segment of many rows has the integer form that all of them together have") {
  const temporary_folder temporary;
  const std::string folder = temporary.file("i");
  entries all;
  for (std::size_t i = 0; i < 9000; ++i) {  // the longest vector in the middle
    all.push_back({"id" + std::to_string(i), "text", made_up::vector(static_cast<std::uint32_t>(i))});
    for (float& x : all.back().vector) x *= i == 4500 ? 9.0f : i % 3 == 0 ? 0.5f : 1.0f;
  }
  for (const similarity like : {similarity::cosine, similarity::dot}) {
    const std::string path = folder + (like == similarity::dot ? "dot" : "cosine");
    index_writer w = create(path, like);
    ok(made_up::add(w, all));
    ok(w.commit());
    const index_reader index = read(path);
    REQUIRE(index.segment_count() == 1);
    const dupq::packed_rows rows = index.segment(0).rows;
    const std::size_t bytes = dupq::packed_bytes(rows.rows, rows.dim);
    std::vector<std::byte> whole(bytes + 64);
    void* aligned = whole.data();
    std::size_t room = whole.size();
    std::align(64, bytes, aligned, room);
    const std::span memory(static_cast<std::byte*>(aligned), bytes);
    REQUIRE(dupq::pack_rows({rows.vectors, rows.rows * rows.dim}, rows.dim, memory, {.similarity = like}));
    CHECK(std::memcmp(rows.packed, memory.data(), bytes) == 0);
    CHECK(made_up::found(index, made_up::vector(4500), 9, lowest) ==
          made_up::expected(all, made_up::vector(4500), 9, lowest, like));
  }
}

TEST_CASE("without ids texts are numbered in the order in which they were added, and a number is given once") {
  const temporary_folder temporary;
  const std::string folder = temporary.file("i");
  {
    index_writer w = create(folder);
    ok(made_up::add(w, made_up::entries(0, 3), false));
    ok(made_up::add(w, made_up::entries(3, 8), false));
    ok(w.commit());
  }
  {
    index_writer w = reopen(folder);
    ok(w.remove({"11"}));
    ok(w.compact());
    ok(made_up::add(w, made_up::entries(11, 1), false));
    ok(w.commit());
  }
  const index_reader index = read(folder);
  REQUIRE(index.rows() == 11);
  CHECK(*index.id(0) == "1");
  CHECK(*index.id(9) == "10");
  CHECK(*index.id(10) == "12");
  CHECK(*index.find("12") == 10);
  CHECK(*index.find("11") == index.rows());
}

TEST_CASE("all rows may go, and others come with their ids") {
  const temporary_folder temporary;
  const std::string folder = temporary.file("i");
  {
    index_writer w = create(folder);
    ok(w.commit());
  }
  check(folder, {});
  index_writer w = reopen(folder);
  ok(made_up::add(w, made_up::entries(0, 2)));
  ok(w.remove({"id0", "id1"}));
  ok(w.commit());
  check(folder, {});
  ok(made_up::add(w, made_up::entries(1, 1)));
  ok(w.commit());
  check(folder, made_up::entries(1, 1));
  ok(w.compact());
  ok(w.commit());
  check(folder, made_up::entries(1, 1));
  ok(w.remove({"id1"}));
  ok(w.compact());
  ok(w.commit());
  check(folder, {});
  CHECK(read(folder).segment_count() == 0);
}

TEST_CASE("what is wrong with a call changes nothing") {
  const temporary_folder temporary;
  const std::string folder = temporary.file("i");
  const entries all = made_up::entries(0, 10);
  index_writer w = create(folder);
  ok(made_up::add(w, all));
  ok(w.commit());
  fails(made_up::add(w, made_up::entries(9, 3)), errc::exists_already, "id9: exists already");
  entries twice = made_up::entries(20, 3);
  twice[2].id = "id20";
  fails(made_up::add(w, twice), errc::exists_already, "id20: exists already");
  for (const char* id : {"", "a\tb", "a\n", "\x7F"}) {
    twice[2].id = id;
    fails(made_up::add(w, twice), errc::bad_key, "malformed name");
  }
  fails(w.remove({"id1", "id10"}), errc::no_such_id, "id10: no such id");
  const std::vector<float> vectors(made_up::dim * 2);
  fails(w.add({"one"}, vectors), errc::wrong_size, "vectors");
  fails(w.add({"one", "two"}, vectors, {"one"}), errc::wrong_size, "ids");
  ok(w.commit());
  check(folder, all);
  const index_reader index = read(folder);
  dupq::neighbour room[1];
  fails(index.search(std::span(vectors).first(3), room), errc::wrong_size, "queries");
  CHECK(index.changes() == 1);
}

TEST_CASE("what was not committed is gone, a new index with its folder") {
  const temporary_folder temporary;
  const std::string folder = temporary.file("i");
  {
    index_writer w = create(folder);
    ok(made_up::add(w, made_up::entries(0, 5)));
  }
  CHECK(!std::filesystem::exists(folder));
  std::filesystem::create_directory(folder);
  {
    index_writer w = create(folder);
    ok(made_up::add(w, made_up::entries(0, 5)));
  }
  CHECK(std::filesystem::is_empty(folder));
  {
    index_writer w = create(folder);
    ok(made_up::add(w, made_up::entries(0, 5)));
    ok(w.commit());
    ok(made_up::add(w, made_up::entries(5, 5)));
    ok(w.remove({"id0"}));
  }
  check(folder, made_up::entries(0, 5));
  CHECK(!std::filesystem::exists(folder + "/segment-2.gguf"));
}

TEST_CASE("leftovers of a writer that was killed go, other files stay") {
  const temporary_folder temporary;
  const std::string folder = temporary.file("i");
  {
    index_writer w = create(folder);
    ok(made_up::add(w, made_up::entries(0, 5)));
    ok(w.commit());
  }
  for (const char* name :
       {"segment-2.gguf", "segment-77.gguf", "manifest.next", "segment-02.gguf", "segment-x.gguf", "notes.txt"})
    temporary.write(std::string("i/") + name, "left");
  {
    index_writer w = reopen(folder);
    for (const char* name : {"segment-2.gguf", "segment-77.gguf", "manifest.next"})
      CHECK(!std::filesystem::exists(folder + '/' + name));
    for (const char* name : {"segment-1.gguf", "segment-02.gguf", "segment-x.gguf", "notes.txt"})
      CHECK(std::filesystem::exists(folder + '/' + name));
  }
  check(folder, made_up::entries(0, 5));
}

TEST_CASE("one writer at a time, and readers beside it") {
  const temporary_folder temporary;
  const std::string folder = temporary.file("i");
  index_writer w = create(folder);
  fails(index_writer::create(folder, made_up::model()), errc::in_use, "i: in use");
  ok(made_up::add(w, made_up::entries(0, 70)));
  ok(w.commit());
  fails(index_writer::open(folder), errc::in_use, "i: in use");
  const index_reader before = read(folder);
  ok(w.remove({"id7"}));
  ok(made_up::add(w, made_up::entries(70, 5)));
  ok(w.compact());
  ok(w.commit());
  CHECK(made_up::same(made_up::contents(before), made_up::entries(0, 70)));
  CHECK(read(folder).size() == 74);
  index_writer moved = std::move(w);
  ok(moved.remove({"id8"}));
  ok(moved.commit());
  CHECK(read(folder).size() == 73);
}

TEST_CASE("folders that are no index, or not a new one") {
  const temporary_folder temporary;
  const std::string folder = temporary.file("i");
  fails(index_reader::open(folder), errc::no_such_file, "i/manifest.gguf: no such file");
  fails(index_writer::open(folder), errc::no_such_file, "i/manifest.gguf: no such file");
  CHECK(!std::filesystem::exists(folder));
  fails(index_writer::create(temporary.file("no/such"), made_up::model()), errc::cannot_write, "no/such");
  fails(index_writer::create(temporary.write("file", "text"), made_up::model()), errc::exists_already, "file");
  temporary.write("notes.txt", "text");
  fails(index_writer::create(temporary.file(""), made_up::model()), errc::exists_already, "exists already");
  CHECK(std::filesystem::exists(temporary.file("notes.txt")));
  fails(index_writer::create(temporary.file(std::string(5000, 'x')), made_up::model()), errc::cannot_write, "xxx");
  {
    index_writer w = create(folder);
    ok(w.commit());
  }
  fails(index_writer::create(folder, made_up::model()), errc::exists_already, "i: exists already");
  check(folder, {});
}

TEST_CASE("the wrong model is refused with both names") {
  const auto mine = made_up::model();
  auto other = mine;
  CHECK(dupq::check_same_model(mine, other));
  const std::string digest(64, 'e');
  other.digest = digest;
  other.name = "/a/very/long/folder/that/goes/on/and/on/other-model.gguf";
  fails(dupq::check_same_model(mine, other), errc::wrong_model, "/models/made-up.gguf, not ...");
  fails(dupq::check_same_model(mine, other), errc::wrong_model, "/other-model.gguf: another model");
  other = mine;
  other.dim = 3;
  fails(dupq::check_same_model(mine, other), errc::wrong_model, "made-up");
}
