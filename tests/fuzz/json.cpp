// JSON: any bytes are parsed or refused with a line; what was parsed prints as text that parses to the same value.
#include "json.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace dupq_tool;

namespace {

void require(bool truth) {
  if (!truth) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string quoted = json::quote(text);  // any bytes at all
  const json::value back = json::parse(quoted, "quoted");
  require(back.as<std::string>() != nullptr);
  if (is_utf8(text)) require(*back.as<std::string>() == text);

  json::value v;
  try {
    v = json::parse(text, "fuzz");
  } catch (const failure& e) {
    require(std::string_view(e.what()).starts_with("fuzz: line "));
    return 0;
  }
  require(is_utf8(text));
  const std::string line = json::print(v);
  require(json::parse(line, "line") == v);
  require(line.find('\n') == line.npos);
  const std::string indented = json::print(v, 2);
  require(json::parse(indented, "indented") == v);
  require(json::print(json::parse(line, "line")) == line);
  return 0;
}
