#include <doctest/doctest.h>

#include <cstdint>
#include <dupq/core/arena.hpp>

namespace {

struct layout {
  char* bytes;
  double* numbers;
  int* none;
};

constexpr layout lay_out(dupq::arena& from) {
  layout l{};
  l.bytes = from.take<char>(1);
  l.numbers = from.take<double>(9);
  l.none = from.take<int>(0);
  return l;
}

constexpr std::size_t counted() {
  dupq::arena counter;
  lay_out(counter);
  return counter.used();
}

}  // namespace

TEST_CASE("counting and taking are the same walk") {
  static_assert(counted() == 64 + 128);
  alignas(dupq::alignment) std::byte memory[counted()];
  dupq::arena from(memory);
  CHECK(from.has_memory());
  const layout l = lay_out(from);
  CHECK(static_cast<void*>(l.bytes) == memory);
  CHECK(static_cast<void*>(l.numbers) == memory + 64);
  CHECK(from.used() == counted());
  CHECK(from.fits());
}

TEST_CASE("arrays are aligned and do not overlap") {
  alignas(dupq::alignment) std::byte memory[1024];
  dupq::arena from(memory);
  std::uintptr_t end = reinterpret_cast<std::uintptr_t>(memory);
  for (std::size_t n = 1; n <= 4; ++n) {
    const auto at = reinterpret_cast<std::uintptr_t>(from.take<std::uint16_t>(n * 7));
    CHECK(at % dupq::alignment == 0);
    CHECK(at >= end);
    end = at + n * 7 * sizeof(std::uint16_t);
  }
}

TEST_CASE("without enough memory there is null and a number") {
  alignas(dupq::alignment) std::byte memory[128];
  dupq::arena from(memory);
  CHECK(from.take<std::byte>(64) != nullptr);
  CHECK(from.take<std::byte>(65) == nullptr);
  CHECK(!from.fits());
  CHECK(from.used() == 192);
  CHECK(from.take<std::byte>(1) == nullptr);  // nothing fits behind what did not fit
  dupq::arena counter;
  CHECK(!counter.has_memory());
  CHECK(counter.take<int>(3) == nullptr);
  CHECK(counter.used() == 64);
}

TEST_CASE("what no address space can hold is counted as impossible, and nothing after it is possible again") {
  const auto counted = [](std::uint64_t n, std::uint64_t before = 0) constexpr {
    dupq::arena counter;
    counter.take<char>(before);
    counter.take<double>(n);
    counter.take<char>(1);
    return counter.used();
  };
  constexpr std::uint64_t most = ~std::size_t{0};
  static_assert(counted(most / 16) == (most / 16 * 8 + 63) / 64 * 64 + 64);
  static_assert(counted(most / 8) == dupq::arena::impossible);
  static_assert(counted(most / 8 + 2) == dupq::arena::impossible);  // whose bytes would be few if they wrapped
  static_assert(counted(~std::uint64_t{0}) == dupq::arena::impossible);
  static_assert(counted(1, most - 100) == dupq::arena::impossible);
  static_assert(counted(0, most) == dupq::arena::impossible);
  alignas(dupq::alignment) std::byte memory[128];
  dupq::arena from(memory);
  CHECK(from.take<double>(most / 8 + 2) == nullptr);
  CHECK(from.take<char>(1) == nullptr);
  CHECK(!from.fits());
}
