// Texts that are kept: their bytes stand in large blocks, and stay where they are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace dupq_tool {

class text_store {
 public:
  std::string_view keep(std::string_view text) {
    if (blocks_.empty() || room_ < text.size()) {
      room_ = std::max(text.size(), std::size_t{1} << 20);
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(room_));
      next_ = blocks_.back().get();
    }
    char* const begin = next_;
    std::copy(text.begin(), text.end(), begin);
    next_ += text.size(), room_ -= text.size(), bytes_ += text.size();
    return {begin, text.size()};
  }

  std::size_t bytes() const noexcept { return bytes_; }  ///< of all texts
  void clear() noexcept { blocks_.clear(), room_ = bytes_ = 0; }

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  std::size_t room_ = 0, bytes_ = 0;
};

}  // namespace dupq_tool
