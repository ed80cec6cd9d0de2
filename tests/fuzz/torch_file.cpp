// torch_file: any bytes are refused with a failure that names the file, or give tensors whose numbers lie inside the
// file or are copies of some, each readable to its end.
#include "torch_file.hpp"

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

void check(const torch_file& file) {
  for (const safetensors::tensor& t : file.tensors()) {
    std::uint64_t elements = 1;
    for (std::size_t i = 0; i < t.shape.count && i < 4; ++i) elements *= t.shape[i];
    if (t.shape.count <= 4) require(elements == t.elements);
    require(t.elements == 0 ? t.bytes.empty() : t.bytes.size() % t.elements == 0);
    unsigned sum = 0;
    for (const std::byte b : t.bytes) sum += std::to_integer<unsigned>(b);  // the sanitizer looks at each
    require(file.find(t.name) == &t && sum <= 255 * t.bytes.size());
    if (!t.is_real() || t.elements == 0) continue;
    std::vector<float> all(static_cast<std::size_t>(t.elements)), one(1);
    t.read(0, all);
    t.read(t.elements - 1, one);
    require(std::bit_cast<std::uint32_t>(one[0]) == std::bit_cast<std::uint32_t>(all.back()));
  }
  require(file.find("no such tensor") == nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    check(torch_file(bytes, "fuzz"));
  } catch (const failure& e) {
    require(std::string_view(e.what()).starts_with("fuzz: "));
  }
  return 0;
}
