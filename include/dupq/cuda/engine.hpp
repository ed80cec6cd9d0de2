// Texts through a model on a GPU: tokenized on the host while the GPU works, in two slots that take turns. An encoder
// whose passes hold one or two texts (limits.texts) is made to answer soon: it replays CUDA graphs whose kernels read
// and write the host's memory.
//
// A Runtime is what the engine needs of CUDA: memory, copies, launches, waiting. The tests have one that emulates.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "../encoder.hpp"
#include "batch.hpp"
#include "few_pass.hpp"
#include "graphs.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// A Runtime has, beside being movable:
///   void* device_memory(bytes), void* pinned_memory(bytes), and void* mapped_memory(bytes), memory of the host that
///     kernels reach at the same address; null where there is no more. The Runtime frees all of it in its destructor
///   void clear(to, bytes), void upload(slot, to, from, bytes), void download(slot, to, from, bytes)
///   void launch(slot, kernel, blocks, threads, shared_bytes, args): in clusters of cluster_of<args>() blocks
///   int record(slot, launches): calls launches(); what that launches into the slot becomes a graph, and is not run.
///     Returns the graph's number
///   void replay(slot, graph)
///   bool finished(slot): whether nothing of a slot's work is left, without waiting; true after a failure
///   result<void> begin(): what follows comes after the caller's work on the GPU
///   result<void> wait(slot): for all of a slot's work, and its first error
///   int processors()
///   bool warpgroups(): whether its code is for Hopper's tensor cores, so that short texts can go through bins
template <class Runtime>
class engine {
 public:
  /// Tokens of one pass, where the caller's options leave them open: 128 pairs of full bins keep a large GPU busy.
  static constexpr std::size_t default_tokens = 16384;

  /// Errors: as a CPU encoder's; unsupported, out_of_range (a weight too large for half precision), gpu_failed.
  static result<engine> make(const dupq::model& m, encoder_options options, model_kind kind,
                             Runtime&& runtime) noexcept {
    const bool few = options.limits.texts <= few_texts;
    if (options.limits.packed_tokens == 0)
      options.limits.packed_tokens = std::max<std::size_t>(few ? 0 : default_tokens, m.config().max_length);
    if (options.limits.texts == limits{}.texts) options.limits.texts = options.limits.packed_tokens / 4;
    auto l = limits_for(m, options, kind);
    if (!l) return l.error();
    const auto prompt = prompt_for(m, options, *l);
    if (!prompt) return prompt.error();
    if (m.config().pooling.sequence != 0) return error(errc::unsupported, "this pooling on a GPU").in(m.path());
    if (m.config().hidden_activation != hidden_activation::gelu)
      return error(errc::unsupported, "this activation on a GPU").in(m.path());
    if (m.config().head_activation != head_activation::tanh)
      return error(errc::unsupported, "this head's activation on a GPU").in(m.path());
    if (m.config().dense_dim != 0) return error(errc::unsupported, "a Dense after the pooling on a GPU").in(m.path());
    if (prompt->unpooled != 0) return error(errc::unsupported, "a pooling without the prompt on a GPU").in(m.path());
    if (few) l->packed_tokens = graph_list::tokens_of(graph_list::graph_for(l->packed_tokens));
    if (l->packed_tokens < l->text_tokens) return error(errc::unsupported, "limits.text_tokens on a GPU");
    engine e(m, options, *l, std::move(runtime));
    e.prompt_ = *prompt;
    if (const auto done = e.take_memory(); !done) return done.error();
    return result<engine>(std::move(e));
  }

  const dupq::model& model() const noexcept { return model_; }
  const limits& sizes() const noexcept { return limits_; }
  const encoder_options& options() const noexcept { return options_; }
  const prompt_use& prompt() const noexcept { return prompt_; }
  std::uint64_t truncated() const noexcept { return truncated_; }
  /// Room for one text's result, which a pair's first text waits in where its second is in the next batch.
  float* kept() noexcept { return host_.kept; }
  /// Floats of one text's result.
  std::size_t outputs() const noexcept {
    return model_.config().kind == model_kind::cross_encoder ? 1 : model_.config().pooled_dim();
  }

  /// Runs texts 0..n-1, which tokenize(i, ids) writes; retire(first, count, results) gets their results in order. Ends
  /// early where the watch says so.
  template <class Watch, class Tokenize, class Retire>
  result<void> run(std::size_t n, Watch&& watch, Tokenize&& tokenize, Retire&& retire) noexcept {
    if (model_.empty()) return error(errc::moved_from, "encoder");
    if (n == 0) return {};
    auto done = runtime_.begin();
    std::size_t filling = 0;
    const auto collect = [&](slot& s) {  // a slot's results, once the GPU is done with it
      if (!s.busy) return;
      result<void> arrived;
      if (!few() || !s.results.arrive([&] { return runtime_.finished(s.number); })) arrived = runtime_.wait(s.number);
      if (done) done = arrived;
      if (done) retire(s.first, s.batch.texts(), s.results.values()), watch.done(s.batch.texts());
      s.busy = false;
      s.batch.clear();
    };
    for (std::size_t first = 0; first < n && done && watch.go_on(); first += limits_.texts) {
      const std::size_t count = std::min(limits_.texts, n - first);
      tokenize_all(first, count, tokenize);
      for (std::size_t i = 0; i < count && done && watch.go_on(); ++i) {
        const tokenizer::encoding& e = host_.encodings[i];
        if (!slots_[filling].batch.fits(e.tokens)) {
          submit(slots_[filling]);
          filling = 1 - filling;
          collect(slots_[filling]);
        }
        slot& s = slots_[filling];
        if (s.batch.texts() == 0) s.first = first + i;
        s.batch.add({host_.ids + i * limits_.text_tokens, e.tokens}, e.first_segment, model_.config(),
                    model_.tokenizer().options().pad);
        if (e.truncated) ++truncated_, watch.cut(first + i);
      }
    }
    if (done && watch.go_on() && slots_[filling].batch.texts() != 0) submit(slots_[filling]);
    collect(slots_[1 - filling]);
    collect(slots_[filling]);
    for (slot& s : slots_) s.batch.clear();
    return done ? watch.outcome() : done;
  }

 private:
  struct slot {
    int number = 0;
    bool busy = false;
    std::size_t first = 0;
    host_batch batch;
    pass on_gpu;
    awaited_numbers results;  ///< on the host
    graph_list graphs;
  };
  struct host_room {
    std::int32_t* ids = nullptr;               ///< [texts][text_tokens]
    tokenizer::encoding* encodings = nullptr;  ///< [texts]
    float* kept = nullptr;                     ///< [outputs]

    void lay_out(arena& from, const limits& l, std::size_t outputs) noexcept {
      ids = from.take<std::int32_t>(l.texts * l.text_tokens);
      encodings = from.take<tokenizer::encoding>(l.texts);
      kept = from.take<float>(outputs);
    }
  };
  struct release {
    void operator()(void* p) const noexcept { os::release(p); }
  };
  using host_memory_block = std::unique_ptr<void, release>;

  engine(const dupq::model& m, const encoder_options& options, const limits& l, Runtime&& runtime) noexcept
      : model_(m.view()), options_(options), limits_(l), runtime_(std::move(runtime)) {}

  bool few() const noexcept { return limits_.texts <= few_texts; }
  static std::span<std::byte> bytes(void* p, std::size_t n) noexcept { return {static_cast<std::byte*>(p), n}; }
  static host_memory_block allocate(std::size_t n) noexcept { return host_memory_block(os::allocate(n)); }

  result<void> take_memory() noexcept {
    if (!shapes_.set(model_.config(), runtime_.warpgroups(), few()))
      return error(errc::unsupported, "sizes on a GPU").in(model_.path());
    if (const auto done = upload_weights(); !done) return done;
    arena host;
    host_.lay_out(host, limits_, outputs());
    host_block_ = allocate(host.used());
    if (host_block_ == nullptr) return error(errc::out_of_memory, "workspace", host.used());
    arena taken(bytes(host_block_.get(), host.used()));
    host_.lay_out(taken, limits_, outputs());
    for (slot& s : slots_) {
      s.number = static_cast<int>(&s - slots_);
      arena pinned, device;
      lay_out(s, pinned, device);
      void* const here = few() ? runtime_.mapped_memory(pinned.used()) : runtime_.pinned_memory(pinned.used());
      void* const there = runtime_.device_memory(device.used());
      if (here == nullptr || there == nullptr)
        return error(errc::out_of_memory, "GPU workspace", here == nullptr ? pinned.used() : device.used());
      runtime_.clear(there, device.used());
      arena from_pinned(bytes(here, pinned.used())), from_device(bytes(there, device.used()));
      lay_out(s, from_pinned, from_device);
      if (few()) {
        std::memset(here, 0, pinned.used());
        if (s.number == 0) {  // run once: CUDA loads a kernel when it is first run, and recording does not run it
          launch_few(s, graph_list::tokens_of(0));
          if (const auto done = runtime_.wait(0); !done) return done;
        }
        s.graphs.record(runtime_, s.number, limits_.packed_tokens, [&](std::size_t tokens) { launch_few(s, tokens); });
      }
    }
    return few() ? runtime_.wait(0) : result<void>();
  }
  void lay_out(slot& s, arena& pinned, arena& device) noexcept {
    s.batch.lay_out(pinned, limits_, shapes_);
    s.results = {pinned.take<float>(limits_.texts * outputs()), limits_.texts * outputs()};
    s.on_gpu.lay_out_sent(device, limits_.packed_tokens, limits_.texts);
    if (shapes_.bins) {
      s.on_gpu.lay_out_bins_sent(device, limits_.packed_tokens, limits_.texts);
      s.on_gpu.bins.lay_out_room(device, limits_.packed_tokens, limits_.texts, shapes_.width);
    }
    s.on_gpu.lay_out_room(device, shapes_, limits_.packed_tokens + 1);  // one more: an empty text may begin there
    s.on_gpu.out = few() ? s.results.values() : device.take<float>(limits_.texts * outputs());
  }
  result<void> upload_weights() noexcept {
    arena counter;
    weights_.lay_out(counter, model_.weights(), shapes_, false);
    const std::size_t size = counter.used();
    const host_memory_block staging = allocate(size);
    if (staging == nullptr) return error(errc::out_of_memory, "weights", size);
    arena host(bytes(staging.get(), size));
    if (!weights_.lay_out(host, model_.weights(), shapes_, true))
      return error(errc::out_of_range, "a weight in half precision").in(model_.path());
    void* const there = runtime_.device_memory(size);
    if (there == nullptr) return error(errc::out_of_memory, "GPU weights", size);
    runtime_.upload(0, there, staging.get(), size);
    arena device(bytes(there, size));
    weights_.lay_out(device, model_.weights(), shapes_, false);
    return runtime_.wait(0);
  }

  template <class Tokenize>
  void tokenize_all(std::size_t first, std::size_t count, Tokenize&& tokenize) noexcept {
    constexpr std::size_t each = 32;  // texts of a task
    options_.executor.run((count + each - 1) / each, [&](std::size_t task, std::size_t) {
      const float_environment ieee;
      for (std::size_t i = task * each; i < std::min(count, (task + 1) * each); ++i)
        host_.encodings[i] =
            tokenize(first + i, std::span<std::int32_t>(host_.ids + i * limits_.text_tokens, limits_.text_tokens));
    });
  }

  void submit(slot& s) noexcept {
    s.batch.finish();
    s.busy = true;
    if (few()) {
      const std::size_t tokens = s.batch.tokens().size();
      s.batch.fill_up(tiles_of(graph_list::tokens_of(graph_list::graph_for(tokens))), limits_.texts);
      s.results.expect();
      return s.graphs.replay(runtime_, s.number, tokens);
    }
    pass& p = s.on_gpu;
    const auto send = [&](const auto* to, auto from) {
      using item = std::remove_cv_t<std::remove_pointer_t<decltype(to)>>;
      runtime_.upload(s.number, const_cast<item*>(to), from.data(), from.size_bytes());
    };
    send(p.tokens, s.batch.tokens());
    send(p.tiles, s.batch.tiles());
    send(p.offsets, s.batch.offsets());
    if (shapes_.bins) {
      const bin_lists& from = s.batch.lists();
      bin_lists& to = p.bins.lists;
      to.pairs = from.pairs, to.tile_count = from.tile_count;
      const auto bins = 2 * static_cast<std::size_t>(to.pairs);
      send(p.places, s.batch.places());
      send(to.tiles, std::span<const std::uint32_t>(from.tiles, static_cast<std::size_t>(to.tile_count)));
      send(to.first_tile, std::span<const std::uint32_t>(from.first_tile, bins + 1));
      send(to.rows, std::span<const std::uint32_t>(from.rows, bins * bin_rows));
    }
    p.token_count = static_cast<int>(s.batch.tokens().size());
    p.rows = static_cast<int>(s.batch.rows());
    p.tile_count = static_cast<int>(s.batch.tiles().size());
    p.texts = static_cast<int>(s.batch.texts());
    auto launch = launcher(s);
    forward_pass(weights_, shapes_, model_.config(), p, runtime_.processors(), launch).run();
    runtime_.download(s.number, s.results.values(), p.out, s.batch.texts() * outputs() * sizeof(float));
  }
  auto launcher(const slot& s) noexcept {
    return [this, &s](auto kernel, int blocks, int threads, std::size_t shared_bytes, const auto& args) {
      runtime_.launch(s.number, kernel, blocks, threads, shared_bytes, args);
    };
  }
  /// Of a pass that is recorded as a graph.
  std::size_t tiles_of(std::size_t tokens) const noexcept {
    return (tokens + (tile_queries - 1) * limits_.texts) / tile_queries;
  }
  void launch_few(slot& s, std::size_t tokens) noexcept {
    pass& p = s.on_gpu;
    p.token_count = p.rows = static_cast<int>(tokens);
    p.tile_count = static_cast<int>(tiles_of(tokens));
    p.texts = static_cast<int>(limits_.texts);
    auto launch = launcher(s);
    const auto chunks = [](std::size_t bytes) { return static_cast<int>((bytes + 15) / 16); };
    const receive_args sent{
        {s.batch.tokens().data(), s.batch.tiles().data(), s.batch.offsets().data()},
        {const_cast<token*>(p.tokens), const_cast<query_tile*>(p.tiles), const_cast<std::uint32_t*>(p.offsets)},
        {chunks(tokens * sizeof(token)), chunks(tiles_of(tokens) * sizeof(query_tile)),
         chunks((limits_.texts + 1) * sizeof(std::uint32_t))}};
    few_pass(weights_, shapes_, model_.config(), p, launch).run(sent);
  }

  dupq::model model_;
  encoder_options options_;
  prompt_use prompt_;
  limits limits_;
  shapes shapes_;
  packed_model weights_;
  Runtime runtime_;
  host_memory_block host_block_;
  host_room host_;
  slot slots_[2];
  std::uint64_t truncated_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI::gpu
