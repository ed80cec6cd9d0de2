#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <dupq/model.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "loaded_model.hpp"
#include "unit/temporary_folder.hpp"

using dupq::errc;
using dupq_test::aligned_bytes;
using dupq_test::gguf_builder;
using dupq_test::loaded_model;
using dupq_test::outputs;
using dupq_test::refused;
using dupq_test::tiny_model;

namespace {

const std::vector<std::string> all_models = {"bert-packed-f32", "bert-plain-f16",   "cross-packed-f32",
                                             "cross-plain-f16", "mpnet-packed-f32", "mpnet-plain-f16"};

std::size_t header_size(const std::string& file) {
  const auto parsed = dupq::gguf::file::parse(std::as_bytes(std::span(file)));
  REQUIRE(parsed);
  return parsed->data_offset();
}

}  // namespace

TEST_CASE("a model from bytes, in storage of exactly the size asked for") {
  for (const std::string& name : all_models) {
    CAPTURE(name);
    const loaded_model m(tiny_model(name));
    CHECK(m->config().layers == 1);
    CHECK(m->config().hidden == 8);
    CHECK(m->config().vocabulary == 15);
    CHECK(m->packed() == (name.find("packed") != name.npos));
    CHECK((m->config().kind == dupq::model_kind::cross_encoder) == name.starts_with("cross"));
    CHECK((m->config().architecture == dupq::architecture::mpnet) == name.starts_with("mpnet"));
    CHECK(m->kernels() == dupq::find_kernels()->name);
    CHECK(!m->threshold());
    for (const float x : outputs(*m)) CHECK(std::isfinite(x));
  }
}

TEST_CASE("storage that is too small, misaligned or not needed") {
  for (const std::string& name : all_models) {
    const aligned_bytes file(tiny_model(name));
    const auto needed = dupq::model::storage_bytes(file.span());
    REQUIRE(needed);
    const aligned_bytes less(*needed - 1), shifted(*needed, 8), more(*needed + 100);
    const auto small = dupq::model::load(file.span(), less.span());
    REQUIRE(!small);
    CHECK(small.error().code == errc::too_small);
    CHECK(small.error().expected == *needed);
    CHECK(small.error().found == *needed - 1);
    const auto misaligned = dupq::model::load(file.span(), shifted.span());
    REQUIRE(!misaligned);
    CHECK(misaligned.error().code == errc::not_aligned);
    CHECK(dupq::model::load(file.span(), more.span()).has_value());
  }
  // A packed file is used where it lies: storage is for the list of layers only.
  const std::string packed = tiny_model("bert-packed-f32");
  CHECK(*dupq::model::storage_bytes(std::as_bytes(std::span(packed))) <
        sizeof(dupq::model_detail::contents) + sizeof(dupq::gguf::file) + 512);
}

TEST_CASE("kernel tables by name") {
  const std::string file = tiny_model("bert-packed-f32");
  for (const dupq::kernels* table : dupq::available_kernels()) {
    const loaded_model m(file, {.kernels = table->name});
    CHECK(m->kernels() == table->name);
    CHECK(outputs(*m) == outputs(*loaded_model(file)));
  }
  const loaded_model unknown(file, {.kernels = "abacus"});
  CHECK(unknown.error().code == errc::unknown_kernels);
  CHECK(std::string(unknown.error().subject) == "abacus");
}

TEST_CASE("open maps a file and names it in errors") {
  const temporary_folder folder;
  const std::string path = folder.file("m.gguf"), file = tiny_model("bert-packed-f32");
  const auto write = [&](const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; };
  write(file);
  {
    auto m = dupq::model::open(path.c_str());
    REQUIRE(m);
    const dupq::model moved = std::move(*m);
    std::filesystem::remove(path);
    CHECK(outputs(moved) == outputs(*loaded_model(file)));
    CHECK(path.ends_with(std::string(moved.path()).substr(3)));
  }
  write(gguf_builder(file).erase("bert.block_count").build());
  auto bad = dupq::model::open(path.c_str());
  REQUIRE(!bad);
  char line[320];
  bad.error().format(line, sizeof line);
  const std::string said = line, after = ": bert.block_count: missing key";
  CHECK(said.ends_with(after));
  CHECK(path.ends_with(said.substr(3, said.size() - 3 - after.size())));  // the tail of a long name
  write(file);
  CHECK(dupq::model::open(path.c_str(), {.kernels = "abacus"}).error().code == errc::unknown_kernels);
  CHECK(dupq::model::open(folder.path()).error().code == errc::is_a_directory);
  std::filesystem::remove(path);
  CHECK(dupq::model::open(path.c_str()).error().code == errc::no_such_file);
}

TEST_CASE("open takes names of any kind") {
  const auto folder = std::filesystem::temp_directory_path();
  const auto path = folder / u8"dupq_\u00e9t\u00e9_\u4e2d.gguf";  // not ASCII
  const std::string file = tiny_model("bert-packed-f32");
  std::ofstream(path, std::ios::binary) << file;
  const auto utf8 = path.u8string();
  const std::string name(utf8.begin(), utf8.end());
  CHECK(dupq::model::open(path));
  CHECK(dupq::model::open(name));
  CHECK(dupq::model::open(name.c_str()));
  std::filesystem::remove(path);
  CHECK(dupq::model::open(path).error().code == errc::no_such_file);
}

TEST_CASE("taking a file apart and putting it together changes nothing") {
  for (const std::string& name : all_models) CHECK(gguf_builder(tiny_model(name)).build() == tiny_model(name));
}

TEST_CASE("a file that ends too early does not load") {
  for (const std::string& name : all_models) {
    const std::string file = tiny_model(name);
    for (std::size_t n = 0; n + 64 < file.size(); n += n < header_size(file) ? 1 : 13) {
      const loaded_model m(file.substr(0, n));
      REQUIRE(!m.ok());
      REQUIRE((n < 4 || m.error().code == errc::truncated));
    }
  }
}

TEST_CASE("a flipped bit of the header is an error, or a model that runs") {
  for (const std::string name : {"bert-packed-f32", "cross-plain-f16", "mpnet-packed-f32"}) {
    const std::string file = tiny_model(name);
    std::size_t errors = 0, models = 0;
    for (std::size_t bit = 0; bit < 8 * header_size(file); bit += 3) {  // two or three of each byte
      std::string flipped = file;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
      const loaded_model m(flipped);
      if (!m.ok()) {
        char line[320];
        REQUIRE(m.error().format(line, sizeof line) > 0);
        ++errors;
        continue;
      }
      ++models;
      const dupq::limits small{.text_tokens = std::min<std::size_t>(8, m->config().max_length), .packed_tokens = 16};
      if (m->config().max_length > 4) CHECK(outputs(*m, {.limits = small}).size() > 0);
    }
    CHECK(errors > 5000);
    CHECK(models > 1000);  // names, flags and padding
  }
}

TEST_CASE("a weight that a flipped bit makes infinite is found, another is a weight") {
  const std::string file = tiny_model("bert-packed-f32");
  std::size_t errors = 0, models = 0;
  for (std::size_t at = header_size(file); at < file.size(); ++at) {
    std::string flipped = file;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x40);  // 1 to 2 become infinity or NaN
    const loaded_model m(flipped);
    if (!m.ok()) REQUIRE(m.error().code == errc::not_finite);
    ++(m.ok() ? models : errors);
  }
  CHECK(errors > 10);
  CHECK(models > 1000);
}

TEST_CASE("a threshold is part of the file") {
  const std::string file = tiny_model("bert-packed-f32");
  CHECK(loaded_model(gguf_builder(file).set("dupq.threshold", 0.625f).build())->threshold() == 0.625f);
  CHECK(refused(gguf_builder(file).set("dupq.threshold", "high").build()).code == errc::wrong_type);
  CHECK(refused(gguf_builder(file).set("dupq.threshold", std::nanf("")).build()).code == errc::not_finite);
}

TEST_CASE("a model is opened as what it is") {
  const loaded_model bi(tiny_model("bert-packed-f32")), cross(tiny_model("cross-packed-f32"));
  const auto as_bi = dupq::bi_encoder::make(*cross);
  const auto as_cross = dupq::cross_encoder::make(*bi);
  REQUIRE(!as_bi);
  REQUIRE(!as_cross);
  CHECK(as_bi.error().code == errc::wrong_kind);
  CHECK(std::string(as_bi.error().subject) == "cross_encoder");
  CHECK(as_cross.error().code == errc::wrong_kind);
  CHECK(std::string(as_cross.error().subject) == "bi_encoder");
}
