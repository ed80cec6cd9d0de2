// Happens-before: vector clocks, and for every word of shared memory who wrote it last and who has read it since.
//
// An actor is a thread, or something that goes on beside the threads: a thread's asynchronous copies, the bulk loads
// of a barrier, a warp's products by warpgroups, a warp's bulk stores. A clock says up to which of its epochs each
// actor's accesses are known to be over. An access that does not know one that it conflicts with is a race, whatever
// this run's order was.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace emulator {

using epoch = std::uint32_t;

struct clock {
  std::vector<epoch> known;   ///< of each actor
  std::vector<epoch> fenced;  ///< of each thread: its ordinary accesses that asynchronous ones may follow; may be empty

  void join(const clock& other) {
    join(known, other.known);
    join(fenced, other.fenced);
  }
  void fence(std::size_t threads) {
    fenced.assign(known.begin(), known.begin() + static_cast<std::ptrdiff_t>(threads));
  }

 private:
  static void join(std::vector<epoch>& to, const std::vector<epoch>& from) {
    if (to.size() < from.size()) to.resize(from.size());
    epoch* const t = to.data();
    const epoch* const f = from.data();
    for (std::size_t i = 0, n = from.size(); i < n; ++i) t[i] = t[i] < f[i] ? f[i] : t[i];
  }
};

/// One access: by whom, when on the actor's clock, and from where in the program.
struct access {
  std::uint32_t actor = ~0u;
  epoch at = 0;
  void* place = nullptr;
  const char* what = nullptr;
};

/// Two accesses without an order; `first.actor` is ~0 where a word is read that was never written.
struct race {
  access first, second;
  std::uint32_t address = 0;
};

/// The shadow of one block's shared memory, a word of 4 bytes at a time.
class shadow_memory {
 public:
  void reset(std::size_t bytes, std::size_t threads) {
    threads_ = threads;
    if (words_.size() < bytes / 4) words_.resize(bytes / 4);
    for (std::size_t i = 0; i < bytes / 4; ++i) words_[i].write = {}, words_[i].reads.clear();
  }

  /// `asynchronous`: the access follows ordinary writes only after a fence. False: `found` says why.
  bool read(std::uint32_t address, std::uint32_t bytes, const access& a, const clock& c, bool asynchronous,
            race& found) {
    for (std::uint32_t word = address / 4; word < (address + bytes) / 4; ++word) {
      cell& w = words_[word];
      if (w.write.actor == ~0u || !ordered(w.write, c, asynchronous)) return found = {w.write, a, word * 4}, false;
      auto same = std::find_if(w.reads.begin(), w.reads.end(), [&](const access& r) { return r.actor == a.actor; });
      if (same != w.reads.end())
        *same = a;
      else
        w.reads.push_back(a);
    }
    return true;
  }
  bool write(std::uint32_t address, std::uint32_t bytes, const access& a, const clock& c, bool asynchronous,
             race& found) {
    for (std::uint32_t word = address / 4; word < (address + bytes) / 4; ++word) {
      cell& w = words_[word];
      if (w.write.actor != ~0u && !ordered(w.write, c, asynchronous)) return found = {w.write, a, word * 4}, false;
      for (const access& r : w.reads)
        if (!ordered(r, c, false)) return found = {r, a, word * 4}, false;
      w.write = a;
      w.reads.clear();
    }
    return true;
  }

 private:
  struct cell {
    access write;
    std::vector<access> reads;
  };

  bool ordered(const access& earlier, const clock& c, bool asynchronous) const {
    if (earlier.at > c.known[earlier.actor]) return false;
    if (!asynchronous || earlier.actor >= threads_) return true;
    return earlier.actor < c.fenced.size() && earlier.at <= c.fenced[earlier.actor];
  }

  std::size_t threads_ = 0;
  std::vector<cell> words_;
};

}  // namespace emulator
