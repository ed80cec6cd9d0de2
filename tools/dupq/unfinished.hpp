// The temporary files of outputs that are not complete yet, where a signal handler finds them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "os.hpp"

namespace dupq_tool {

/// The name of one temporary file, or of a folder of them, noted until it has its final name or is gone. A few of them
/// may exist at a time. A folder is noted before what is in it.
class unfinished {
 public:
  static constexpr std::size_t longest_name = 4096;  ///< of a path, with its NUL; systems take no longer one

  unfinished() noexcept = default;
  unfinished(const unfinished&) = delete;
  unfinished& operator=(const unfinished&) = delete;
  ~unfinished() { forget(); }

  /// Notes a name. Where no slot is free, a signal leaves that file behind; in all other cases it is removed as usual.
  void note(std::string_view name) noexcept {
    if (name.empty() || name.size() >= longest_name) return;
    for (slot& s : slots()) {
      if (s.taken) continue;
      s.taken = true;
      // The first letter is written last: until then the slot counts as empty, so a signal never finds half a name.
      std::memcpy(s.name + 1, name.data() + 1, name.size() - 1);
      s.name[name.size()] = '\0';
      std::atomic_signal_fence(std::memory_order_seq_cst);
      s.name[0] = name[0];
      mine_ = &s;
      return;
    }
  }
  void forget() noexcept {
    if (mine_ == nullptr) return;
    mine_->name[0] = '\0';
    std::atomic_signal_fence(std::memory_order_seq_cst);
    mine_->taken = false;
    mine_ = nullptr;
  }

  /// Removes all files that are noted; safe inside a signal handler.
  static void remove_all() noexcept {
    for (std::size_t i = most; i-- > 0;) {
      slot& s = slots()[i];
      if (s.name[0] != '\0') os::remove(s.name);
      s.name[0] = '\0';
    }
  }

 private:
  struct slot {
    bool taken = false;
    char name[longest_name] = {};
  };
  static constexpr std::size_t most = 24;
  static slot (&slots() noexcept)[most] {
    static slot all[most];
    return all;
  }

  slot* mine_ = nullptr;
};

}  // namespace dupq_tool
