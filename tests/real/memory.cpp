// What a real model takes of the machine's memory: its file's pages, which are shared, and its workspace; no copy.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dupq/dupq.hpp>
#include <string>
#include <vector>

namespace {

/// Bytes of this process in the kernel's sums over its mappings.
struct resident {
  std::size_t all = 0;  // in memory, pages of files too
  std::size_t own = 0;  // not a file's
};
resident measure() {
  resident r;
  std::FILE* const file = std::fopen("/proc/self/smaps_rollup", "re");
  REQUIRE(file != nullptr);
  char line[200];
  for (std::size_t kilobytes = 0; std::fgets(line, sizeof line, file) != nullptr;) {
    if (std::sscanf(line, "Rss: %zu kB", &kilobytes) == 1) r.all = kilobytes * 1024;
    if (std::sscanf(line, "Anonymous: %zu kB", &kilobytes) == 1) r.own = kilobytes * 1024;
  }
  std::fclose(file);
  REQUIRE(r.own != 0);
  return r;
}

}  // namespace

TEST_CASE("resident is the file and the workspace") {
#if defined(__linux__)
  const std::string path = std::string(DUPQ_MODELS) + "/" + std::getenv("DUPQ_MODEL") + ".gguf";
  constexpr std::size_t slack = 1 << 20;  // the stack, the heap's own pages
  const resident before = measure();
  const auto m = dupq::model::open(path.c_str());
  REQUIRE(m);
  REQUIRE(m->packed());
  const auto needed = dupq::model::storage_bytes(m->file().bytes(), {.settings = &dupq::all_settings});
  REQUIRE(needed);
  const std::size_t file = m->file().bytes().size(), storage = *needed;
  CHECK(storage < 1 << 20);  // tables of pointers: the weights stay in the file
  const resident opened = measure();
  CHECK(opened.own <= before.own + storage + slack);
  CHECK(opened.all <= before.all + storage + file + slack);

  auto encoder = dupq::bi_encoder::make(*m);
  REQUIRE(encoder);
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "why ";
  const std::vector<std::string> texts(8, text);  // several passes: they fill the workspace
  std::vector<float> vectors(texts.size() * m->dim());
  std::memset(vectors.data(), 1, vectors.size() * sizeof(float));
  const resident made = measure();
  REQUIRE(encoder->encode(texts, vectors));
  const std::size_t workspace = dupq::workspace_bytes(m->config());
  const resident used = measure();
  CHECK(used.own <= made.own + workspace + slack);
  CHECK(used.own >= made.own + workspace / 2);  // so that the measure would show a copy
  CHECK(used.all <= before.all + file + storage + workspace + 2 * slack);
#endif
}
