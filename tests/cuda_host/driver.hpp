// What stands behind the fake CUDA runtime: devices, streams whose work is done late or in any order between them,
// memory, graphs. It watches the rules that a chip or its driver would enforce, or leave to chance; `problem` is the
// first that was broken. Any call can be made to fail.
#pragma once

#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cuda/emulator.hpp"

namespace fake_cuda {

enum failure { success, not_ready, out_of_memory, invalid_value, invalid_handle, no_code, injected };
inline const char* name(failure e) {
  static const char* const names[] = {"cudaSuccess",
                                      "cudaErrorNotReady",
                                      "cudaErrorMemoryAllocation",
                                      "cudaErrorInvalidValue",
                                      "cudaErrorInvalidResourceHandle",
                                      "cudaErrorNoKernelImageForDevice",
                                      "cudaErrorInjected"};
  return names[e];
}

struct step {
  std::function<void()> work;
  bool kernel = false;
};
struct graph {
  int device = 0;
  std::vector<step> steps;
};
struct stream {
  int device = 0;
  std::deque<step> steps;
  std::size_t done = 0, issued = 0;
  bool behind_kernel = false;  ///< whether the last step is a kernel
  graph* recording = nullptr;
};
struct event {
  int device = 0;
  stream* of = nullptr;
  std::size_t at = 0;
};
struct launch_request {
  void* kernel = nullptr;
  emulator::launch_shape shape;
};

class driver {
 public:
  static driver& self() {
    static driver one;
    return one;
  }

  // ---- what a test chooses ----
  int devices = 2, major = 9, current = 0;
  std::size_t most_shared = 227 * 1024;
  bool has_code = true;
  bool eager = false;  ///< work is done at once, not as late as may be
  int fail_call = -1;  ///< the call with this number fails
  // ---- what it finds ----
  int calls = 0, overlapped = 0;
  bool failed_call = false;
  std::string problem;
  stream legacy;

  void reset() {
    devices = 2, major = 9, current = 0, most_shared = 227 * 1024;
    has_code = true, eager = false, fail_call = -1, calls = overlapped = 0, failed_call = false;
    problem.clear(), allowed_.clear(), loaded_.clear(), last_ = success;
    legacy = {}, recording_ = nullptr;
    streams_.clear(), events_.clear(), graphs_.clear(), memory_.clear();
    random_.seed(1);
  }
  /// Streams, events, graphs and memory that are not given back.
  std::size_t kept() const { return streams_.size() + events_.size() + graphs_.size() + memory_.size(); }
  failure last() const { return last_; }
  /// Work of the user in a stream, or in the legacy one.
  void add(stream* s, std::function<void()> work) { push(s == nullptr ? legacy : *s, {std::move(work)}); }

  // ---- the runtime's functions ----
  failure take_last() { return std::exchange(last_, success); }
  failure get_device(int* device) { return enter() ? *device = current, success : last_; }
  failure set_device(int device) {
    if (device != 0 && !enter()) return last_;  // going back to the caller's never fails: nobody could help it
    if (device < 0 || device >= devices) return say(invalid_value);
    current = device;
    return success;
  }
  failure processors(int* value, int device) {
    if (!enter()) return last_;
    if (device < 0 || device >= devices) return say(invalid_value);
    *value = 4;
    return success;
  }
  failure allocate(void** p, std::size_t bytes, bool on_device) {
    if (!enter()) return last_;
    not_while_recording("memory is taken");
    auto buffer = std::make_unique<emulator::buffer<std::byte>>((bytes + 3) / 4 * 4);
    *p = buffer->data();
    memory_[*p] = {std::move(buffer), on_device ? current : -1};
    return success;
  }
  failure release(void* p, bool on_device) {
    not_while_recording("memory is given back");
    const auto found = memory_.find(p);
    if (found == memory_.end() || (found->second.device >= 0) != on_device) return broken("memory that is not there");
    for (const auto& s : streams_)
      if (!s.first->steps.empty()) broken("memory is given back while a stream works");
    memory_.erase(found);
    return enter() ? success : last_;
  }
  failure create_stream(stream** s) {
    if (!enter()) return last_;
    auto made = std::make_unique<stream>();
    made->device = current;
    *s = made.get();
    streams_[*s] = std::move(made);
    return success;
  }
  failure destroy(stream* s) { return drop(streams_, s); }
  failure synchronize(stream* s) {
    not_while_recording("a stream is waited for");
    finish(of(s));
    return enter() ? success : last_;
  }
  failure query(stream* s) {
    if (!enter()) return last_;
    not_while_recording("a stream is asked");
    stream& one = of(s);
    if (one.steps.empty()) return success;
    for (std::size_t n = random_() % 4; n != 0 && !one.steps.empty(); --n) advance(one);
    return say(not_ready);
  }
  failure create_event(event** e) {
    if (!enter()) return last_;
    auto made = std::make_unique<event>();
    made->device = current;
    *e = made.get();
    events_[*e] = std::move(made);
    return success;
  }
  failure destroy(event* e) { return drop(events_, e); }
  failure record(event* e, stream* s) {
    if (!enter()) return last_;
    if (s != nullptr && s->device != e->device) return say(invalid_handle);
    e->of = &of(s), e->at = of(s).issued;
    return success;
  }
  failure wait(stream* s, event* e) {
    if (!enter()) return last_;
    push(of(s), {[from = e->of, at = e->at] {
           while (from != nullptr && from->done < at) advance(*from);
         }});
    return success;
  }
  failure copy(void* to, const void* from, std::size_t bytes, bool upload, stream* s) {
    if (!enter()) return last_;
    const void* const there = upload ? to : from;
    const memory* const device = find(there, bytes);
    if (bytes != 0 && (device == nullptr || device->device < 0)) return broken("a copy beyond memory of a device");
    const void* const here = upload ? from : to;
    if (find(here, bytes) != nullptr) {
      push(of(s), {[=] { std::memcpy(to, from, bytes); }});
    } else if (upload) {  // of memory that is not pinned: read at once
      std::vector<std::byte> staged(static_cast<const std::byte*>(from), static_cast<const std::byte*>(from) + bytes);
      push(of(s), {[to, staged = std::move(staged)] { std::memcpy(to, staged.data(), staged.size()); }});
    } else {
      return broken("a download to memory that is not pinned");
    }
    return success;
  }
  failure set(void* to, int value, std::size_t bytes, stream* s) {
    if (!enter()) return last_;
    if (find(to, bytes) == nullptr) return broken("a memset beyond memory");
    push(of(s), {[=] { std::memset(to, value, bytes); }});
    return success;
  }
  failure begin_capture(stream* s) {
    if (!enter()) return last_;
    if (s->recording != nullptr || recording_ != nullptr) return broken("two recordings");
    recording_ = s->recording = new_graph(s->device);
    s->behind_kernel = false;
    return success;
  }
  failure end_capture(stream* s, graph** g) {
    recording_ = nullptr;
    graph* const made = std::exchange(s->recording, nullptr);
    s->behind_kernel = false;
    if (!enter() || made == nullptr) {
      if (made != nullptr) graphs_.erase(made);
      return made == nullptr ? say(invalid_value) : last_;
    }
    *g = made;
    return success;
  }
  failure instantiate(graph** exec, graph* g) {
    if (!enter()) return last_;
    *exec = new_graph(g->device);
    (*exec)->steps = g->steps;
    return success;
  }
  failure upload(graph* g, stream* s) {
    return enter() ? g->device == s->device ? success : say(invalid_handle) : last_;
  }
  failure destroy(graph* g) { return drop(graphs_, g); }
  failure launch(graph* g, stream* s) {
    if (!enter()) return last_;
    if (graphs_.count(g) == 0) return say(invalid_handle);
    for (const step& one : g->steps) push(*s, one);
    s->behind_kernel = false;
    return success;
  }
  failure allow_shared(void* kernel, int bytes) {
    if (!enter()) return last_;
    if (static_cast<std::size_t>(bytes) > most_shared) return say(invalid_value);
    allowed_[{kernel, current}] = static_cast<std::size_t>(bytes);
    return success;
  }
  failure launch(stream* s, const launch_request& r, std::function<void()> kernel) {
    if (!enter()) return last_;
    if (!has_code) return say(no_code);
    if (s->device != current) return say(invalid_handle);
    const auto allowed = allowed_.find({r.kernel, current});
    if (r.shape.shared_bytes > (allowed == allowed_.end() ? 48 * 1024 : allowed->second)) return say(invalid_value);
    const std::string illegal = emulator::machine::illegal(r.shape);
    if (!illegal.empty()) return broken(illegal);
    if (r.shape.cluster != 1 && major < 9) return broken("a cluster before Hopper");
    if (r.shape.overlaps && (major < 9 || !emulator::m().code_waits))
      return broken("an overlap of kernels that do not wait");
    if (r.shape.overlaps && !s->behind_kernel) return broken("an overlap with what is not a kernel");
    if (s->recording != nullptr && loaded_.count({r.kernel, current}) == 0)
      broken("a kernel is loaded while it is recorded");
    loaded_.insert({r.kernel, current});
    overlapped += r.shape.overlaps;
    push(*s, {[this, shape = r.shape, kernel = std::move(kernel)]() mutable {
                shape.seed = static_cast<std::uint32_t>(random_());
                const std::string wrong = emulator::launch(shape, kernel);
                if (!wrong.empty()) broken(wrong);
              },
              true});
    return success;
  }

 private:
  struct memory {
    std::unique_ptr<emulator::buffer<std::byte>> bytes;
    int device = -1;  ///< -1: the host's
  };

  /// Counts a call; false where it is the one that fails.
  bool enter() {
    if (calls++ != fail_call) return true;
    failed_call = true;
    say(injected);
    return false;
  }
  failure say(failure e) { return last_ = e; }
  failure broken(const std::string& what) {
    if (problem.empty()) problem = what;
    return say(invalid_value);
  }
  void not_while_recording(const char* what) {
    if (recording_ != nullptr) broken(std::string(what) + " while a stream records");
  }
  /// A failure is one of work before: what is given back is gone, and what is waited for done, all the same.
  template <class Map, class T>
  failure drop(Map& map, T* what) {
    if (map.erase(what) == 0) return broken("what is given back is not there");
    return enter() ? success : last_;
  }
  graph* new_graph(int device) {
    auto made = std::make_unique<graph>();
    made->device = device;
    graph* const g = made.get();
    graphs_[g] = std::move(made);
    return g;
  }
  stream& of(stream* s) { return s == nullptr ? legacy : *s; }
  const memory* find(const void* at, std::size_t bytes) const {
    auto next = memory_.upper_bound(const_cast<void*>(at));
    if (next == memory_.begin()) return nullptr;
    --next;
    const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(at) - next->second.bytes->data());
    return offset + bytes <= next->second.bytes->size() ? &next->second : nullptr;
  }
  void push(stream& s, step one) {
    s.behind_kernel = one.kernel;
    if (s.recording != nullptr) return s.recording->steps.push_back(std::move(one));
    s.steps.push_back(std::move(one));
    ++s.issued;
    if (eager) finish(s);
  }
  static void advance(stream& s) {
    const step one = std::move(s.steps.front());
    s.steps.pop_front();
    one.work();
    ++s.done;
  }
  static void finish(stream& s) {
    while (!s.steps.empty()) advance(s);
  }

  failure last_ = success;
  graph* recording_ = nullptr;
  std::map<stream*, std::unique_ptr<stream>> streams_;
  std::map<event*, std::unique_ptr<event>> events_;
  std::map<graph*, std::unique_ptr<graph>> graphs_;
  std::map<void*, memory> memory_;
  std::map<std::pair<void*, int>, std::size_t> allowed_;
  std::set<std::pair<void*, int>> loaded_;
  std::mt19937 random_;
};

}  // namespace fake_cuda
