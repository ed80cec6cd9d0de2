// JSON: any bytes are parsed or refused with a line; what was parsed prints as text that parses to the same value.
#include "json.hpp"

#include <algorithm>
#include <cmath>
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

/// Equal, where a NaN is equal to another.
bool same(const json::value& a, const json::value& b) {
  if (const auto* items = a.as<json::array>()) {
    const auto* others = b.as<json::array>();
    return others != nullptr && std::equal(items->begin(), items->end(), others->begin(), others->end(), same);
  }
  if (const auto* members = a.as<json::object>()) {
    const auto* others = b.as<json::object>();
    return others != nullptr && std::equal(members->begin(), members->end(), others->begin(), others->end(),
                                           [](const json::member& x, const json::member& y) {
                                             return x.first == y.first && same(x.second, y.second);
                                           });
  }
  const auto* x = a.as<double>();
  const auto* y = b.as<double>();
  return a == b || (x != nullptr && y != nullptr && std::isnan(*x) && std::isnan(*y));
}

/// What is moved over is what is parsed.
bool skips(std::string_view text) {
  try {
    json::reader reader(text, "fuzz");
    reader.skip();
    reader.finish();
    return true;
  } catch (const failure&) {
    return false;
  }
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
    require(!skips(text) || std::string_view(e.what()).ends_with(" appears twice"));
    return 0;
  }
  require(skips(text));
  require(is_utf8(text));
  const std::string line = json::print(v);
  require(same(json::parse(line, "line"), v));
  require(line.find('\n') == line.npos);
  const std::string indented = json::print(v, 2);
  require(same(json::parse(indented, "indented"), v));
  require(json::print(json::parse(line, "line")) == line);
  return 0;
}
