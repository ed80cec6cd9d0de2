// safetensors: any bytes are refused with a failure that names the file, or give tensors that tile the data, inside the
// file, each readable to its end.
#include "safetensors.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

using namespace dupq_tool;

namespace {

void require(bool truth) {
  if (!truth) std::abort();
}

void check(const safetensors::file& file, std::span<const std::byte> bytes) {
  const std::byte* end = nullptr;
  for (const safetensors::tensor& t : file.tensors()) {
    require(t.bytes.data() >= bytes.data() && t.bytes.data() + t.bytes.size() <= bytes.data() + bytes.size());
    require(end == nullptr || t.bytes.data() == end);
    end = t.bytes.data() + t.bytes.size();
    require(file.find(t.name) == &t);
    if (!t.is_real()) continue;
    std::vector<float> all(static_cast<std::size_t>(t.elements)), one(1);
    t.read(0, all);
    if (all.empty()) continue;
    t.read(t.elements - 1, one);
    require(std::bit_cast<std::uint32_t>(one[0]) == std::bit_cast<std::uint32_t>(all.back()));
  }
  require(end == nullptr || end == bytes.data() + bytes.size());
  require(file.find("no such tensor") == nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    check(safetensors::file(bytes, "fuzz"), bytes);
  } catch (const failure& e) {
    require(std::string_view(e.what()).starts_with("fuzz: "));
  }
  return 0;
}
