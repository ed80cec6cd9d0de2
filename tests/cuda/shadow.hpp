// What the emulator remembers about every two bytes of a block's shared memory, to tell whether two accesses are
// ordered.
//
// Only barriers order the accesses of different threads: the block's, and a warp's for its own lanes. As every thread
// takes part in each, two accesses are ordered if the block's count of barriers differs between them or, within a warp,
// the warp's. That is independent of the schedule, so one run shows every race of the accesses that it makes.
#pragma once

#include <cstdint>
#include <vector>

namespace emulator {

/// Who accesses, and how many barriers of the block and of its warp it has passed.
struct access {
  unsigned thread = 0, block_epoch = 0, warp_epoch = 0;
};

class shadow {
 public:
  /// Null, or what is wrong.
  using verdict = const char*;

  void clear(std::size_t bytes) { cells_.assign(bytes / 2, {}); }
  std::size_t bytes() const { return 2 * cells_.size(); }

  verdict read(std::uint32_t address, std::uint32_t bytes, access who) {
    for (cell* c = at(address); c != at(address + bytes); ++c) {
      if (c->writer == none) return "read before it was written";
      if (c->in_flight) return "read while a copy to it is in flight";
      if (!ordered(c->writer, c->write, who)) return "read without a barrier after another thread's write";
      note(*c, who);
    }
    return nullptr;
  }
  /// `in_flight`: the write happens at some time from now until landed().
  verdict write(std::uint32_t address, std::uint32_t bytes, access who, bool in_flight) {
    for (cell* c = at(address); c != at(address + bytes); ++c) {
      if (c->in_flight) return "written while a copy to it is in flight";
      if (c->writer != none && !ordered(c->writer, c->write, who))
        return "written without a barrier after another thread's write";
      if (c->reader != none && !ordered(c->reader, c->last, who))
        return "written without a barrier after another thread's read";
      *c = {who, {}, static_cast<std::int16_t>(who.thread), none, in_flight};
    }
    return nullptr;
  }
  void landed(std::uint32_t address, std::uint32_t bytes, access who) {
    for (cell* c = at(address); c != at(address + bytes); ++c) c->write = who, c->in_flight = false;
  }

 private:
  static constexpr std::int16_t none = -1, lanes = -2, warps = -3;  // nobody, several of a warp, several warps
  struct cell {
    access write, last;  ///< the last write, and the last read since
    std::int16_t writer = none, reader = none;
    bool in_flight = false;
  };

  cell* at(std::uint32_t address) { return cells_.data() + address / 2; }

  static bool ordered(std::int16_t thread, const access& before, const access& now) {
    if (before.block_epoch != now.block_epoch || thread == static_cast<int>(now.thread)) return true;
    if (thread == warps || before.thread / 32 != now.thread / 32) return false;
    return before.warp_epoch != now.warp_epoch;
  }
  /// Reads do not conflict with each other; a later write must be ordered after all of them.
  static void note(cell& c, const access& who) {
    const bool same_epoch = c.reader != none && c.last.block_epoch == who.block_epoch;
    if (!same_epoch) {
      c.reader = static_cast<std::int16_t>(who.thread);
    } else if (c.reader == warps || c.last.thread / 32 != who.thread / 32) {
      c.reader = warps;
    } else if (c.last.warp_epoch != who.warp_epoch) {
      c.reader = static_cast<std::int16_t>(who.thread);
    } else if (c.reader != static_cast<int>(who.thread)) {
      c.reader = lanes;
    }
    c.last = who;
  }

  std::vector<cell> cells_;
};

}  // namespace emulator
