// A segment that was written piece by piece holds what is packed in one.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <dupq/index/segment.hpp>
#include <dupq/index/segment_writer.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "search_rows.hpp"
#include "support/fixtures.hpp"
#include "temporary_folder.hpp"

namespace {

struct made_rows {
  std::size_t dim;
  std::vector<float> vectors;
  std::vector<std::string> ids;

  made_rows(std::size_t n, std::size_t dim_) : dim(dim_), vectors(search_rows::around_centres(n, dim_, 0.5f, 2.0f)) {
    for (std::size_t i = 0; i < n; ++i) ids.push_back(std::to_string(i));
  }
  std::size_t size() const noexcept { return ids.size(); }
  const float* vector(std::size_t i) const noexcept { return vectors.data() + i * dim; }
  std::string_view text(std::size_t i) const noexcept { return ids[i]; }
  std::string_view id(std::size_t i) const noexcept { return ids[i]; }
};

}  // namespace

TEST_CASE("pieces are packed as the whole is, with and without sketches") {
  for (const std::size_t n : {1u, 17u, 5'000u, 16'400u}) {
    const made_rows rows(n, 96);
    const dupq::index_model model{"m.gguf",
                                  std::string_view("0123456789abcdef0123456789abcdef"
                                                   "0123456789abcdef0123456789abcdef"),
                                  96};
    const temporary_folder folder;
    const std::string path = folder.file("s.gguf");
    REQUIRE(dupq::index_detail::segment_writer(path.c_str(), model, rows, dupq::pack_options{}).run());
    const std::string bytes = fixtures::read_file(path);
    std::vector<std::byte> aligned(bytes.size() + 64);
    std::byte* const at = aligned.data() + (64 - reinterpret_cast<std::uintptr_t>(aligned.data()) % 64) % 64;
    std::memcpy(at, bytes.data(), bytes.size());
    const auto segment = dupq::index_detail::segment_view::parse({at, bytes.size()}, model, n);
    REQUIRE(segment);
    std::vector<std::byte> packed(dupq::packed_bytes(n, 96));
    REQUIRE(dupq::pack_rows(rows.vectors, 96, packed));
    INFO(n);
    CHECK(std::equal(packed.begin(), packed.end(), segment->rows().packed));
    CHECK((dupq::search_detail::packed_layout(n, 96).sketch != 0) == (n >= 16'384));
  }
}
