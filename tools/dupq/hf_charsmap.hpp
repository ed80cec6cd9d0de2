// SentencePiece's map of characters out of tokenizer.json: base64, checked from end to end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <dupq/text/charsmap.hpp>
#include <dupq/text/utf8.hpp>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "json_file.hpp"

namespace dupq_tool {

class hf_charsmap {
 public:
  /// The map's bytes. A map that is cut off, loops or leads out of itself, or has a replacement that is no text is a
  /// failure.
  static std::string read(const json_node& node) {
    const std::string bytes = decode(node);
    if (!dupq::charsmap::is_sound(bytes)) node.fail("the character map is cut off");
    hf_charsmap map(node, dupq::charsmap(bytes));
    map.check();
    return bytes;
  }

 private:
  hf_charsmap(const json_node& node, const dupq::charsmap& map) : node_(node), map_(map) {}

  static std::string decode(const json_node& node) {
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::array<int, 256> value;
    value.fill(-1);
    for (std::size_t i = 0; i < letters.size(); ++i)
      value[static_cast<unsigned char>(letters[i])] = static_cast<int>(i);
    std::string_view text = node.text();
    while (text.ends_with('=')) text.remove_suffix(1);
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
      const int v = value[static_cast<unsigned char>(c)];
      if (v < 0) node.fail("not base64");
      bits = bits << 6 | static_cast<std::uint32_t>(v);
      if ((count += 6) >= 8) out += static_cast<char>(bits >> (count -= 8) & 0xFF);
    }
    return out;
  }

  using map_type = dupq::charsmap;

  /// Goes once over every place that a text can lead to. Ways may come back to a place, as long as they end.
  void check() {
    if (!dupq::unicode::is_utf8(map_.texts())) node_.fail("a replacement of the character map is not UTF-8");
    std::vector<std::size_t> places{map_type::offset(map_.unit(0))};
    std::unordered_set<std::size_t> seen(places.begin(), places.end());
    while (!places.empty()) {
      const std::size_t base = places.back();
      places.pop_back();
      for (unsigned label = 1; label < 256; ++label) {
        const std::size_t at = base ^ label;
        const std::uint32_t unit = map_.unit(at);
        if (map_type::label(unit) != label) continue;
        const std::size_t next = at ^ map_type::offset(unit);
        if (next >= map_.units()) node_.fail("the character map leads out of itself");
        if (map_type::has_leaf(unit)) check_text(map_type::value(map_.unit(next)));
        if (seen.insert(next).second) places.push_back(next);
      }
    }
    std::vector<std::uint64_t> memory(dupq::charsmap_ways::words(map_));
    if (!dupq::charsmap_ways::check(map_, memory.data()))
      node_.fail("the character map loops: a way through it comes to no replacement");
  }
  void check_text(std::size_t at) const {
    const std::string_view texts = map_.texts();
    const bool inside = at < texts.size() && (static_cast<unsigned char>(texts[at]) & 0xC0u) != 0x80;
    if (!inside) node_.fail("the character map names replacement " + std::to_string(at) + ", which does not exist");
  }

  const json_node& node_;
  map_type map_;
};

}  // namespace dupq_tool
