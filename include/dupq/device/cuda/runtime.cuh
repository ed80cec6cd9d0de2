// What the engine needs of CUDA: memory, copies, launches on two streams, waiting; every failure comes back as an
// error.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "../../core/error.hpp"
#include "hopper/cluster.hpp"
#include "hopper/probe.hpp"
#include "primitives.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

inline error cuda_error(cudaError_t e) noexcept {
  return error(errc::gpu_failed, cudaGetErrorName(e), 0, static_cast<std::uint64_t>(e));
}

/// Makes a device current for its lifetime; the caller's is current again afterwards. A failure goes to `failed`, where
/// none is yet.
class current_device {
 public:
  current_device(int device, cudaError_t& failed) noexcept {
    cudaError_t e = cudaGetDevice(&before_);
    if (e == cudaSuccess && before_ != device) {
      e = cudaSetDevice(device);
      restore_ = e == cudaSuccess;
    }
    if (e == cudaSuccess) return;
    (void)cudaGetLastError();
    if (failed == cudaSuccess) failed = e;
  }
  ~current_device() {
    if (restore_) (void)cudaSetDevice(before_);
  }
  current_device(const current_device&) = delete;
  current_device& operator=(const current_device&) = delete;

 private:
  int before_ = 0;
  bool restore_ = false;
};

/// Two streams and the memory of one encoder on one GPU. See engine.hpp for what each function is for.
class cuda_runtime {
 public:
  /// `device` -1: the current one. Work is ordered behind what is in `stream` when an encoder is called.
  static result<cuda_runtime> open(int device, cudaStream_t stream) noexcept {
    cuda_runtime r;
    cudaError_t e = device < 0 ? cudaGetDevice(&device) : cudaSuccess;
    if (e == cudaSuccess) e = cudaDeviceGetAttribute(&r.processors_, cudaDevAttrMultiProcessorCount, device);
    if (e != cudaSuccess) {
      (void)cudaGetLastError();
      return error(errc::no_gpu, cudaGetErrorName(e));
    }
    r.device_ = device;
    r.caller_ = stream;
    const current_device here(device, e);
    for (cudaStream_t& s : r.streams_)
      if (e == cudaSuccess) e = cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking);
    if (e == cudaSuccess) e = cudaEventCreateWithFlags(&r.event_, cudaEventDisableTiming);
    if (e == cudaSuccess) e = r.ask_code();
    if (e != cudaSuccess) {
      (void)cudaGetLastError();
      return cuda_error(e);
    }
    return result<cuda_runtime>(std::move(r));
  }

  cuda_runtime(cuda_runtime&& other) noexcept { swap(other); }
  cuda_runtime& operator=(cuda_runtime&& other) noexcept { return swap(other), *this; }
  ~cuda_runtime() {
    if (device_ < 0) return;
    const current_device here(device_, failed_);
    for (cudaStream_t s : streams_)
      if (s != nullptr) note(cudaStreamSynchronize(s)), note(cudaStreamDestroy(s));
    if (event_ != nullptr) note(cudaEventDestroy(event_));
    for (cudaGraphExec_t g : graphs_)
      if (g != nullptr) note(cudaGraphExecDestroy(g));
    for (void* p : on_device_)
      if (p != nullptr) note(cudaFree(p));
    for (void* p : pinned_)
      if (p != nullptr) note(cudaFreeHost(p));
  }

  void* device_memory(std::size_t bytes) noexcept {
    const current_device here(device_, failed_);
    return keep(on_device_, [bytes](void** p) { return cudaMalloc(p, bytes); });
  }
  void* pinned_memory(std::size_t bytes) noexcept {
    const current_device here(device_, failed_);
    return keep(pinned_, [bytes](void** p) { return cudaMallocHost(p, bytes); });
  }
  void* mapped_memory(std::size_t bytes) noexcept {
    const current_device here(device_, failed_);
    return keep(pinned_, [bytes](void** p) { return cudaHostAlloc(p, bytes, cudaHostAllocMapped); });
  }
  void clear(void* to, std::size_t bytes) noexcept {
    const current_device here(device_, failed_);
    behind_kernel_[0] = false;
    note(cudaMemsetAsync(to, 0, bytes, streams_[0]));
    note(cudaStreamSynchronize(streams_[0]));
  }
  void upload(int slot, void* to, const void* from, std::size_t bytes) noexcept {
    copy(slot, to, from, bytes, cudaMemcpyHostToDevice);
  }
  void download(int slot, void* to, const void* from, std::size_t bytes) noexcept {
    copy(slot, to, from, bytes, cudaMemcpyDeviceToHost);
  }

  /// On Hopper and later a kernel may start while the one right before it ends: kernels wait for each other themselves.
  template <class Args>
  void launch(int slot, void (*kernel)(Args), int blocks, int threads, std::size_t shared_bytes,
              const Args& args) noexcept {
    const current_device here(device_, failed_);
    cudaLaunchAttribute attributes[2]{};
    unsigned count = 0;
    if (overlaps_ && behind_kernel_[slot]) {
      attributes[count].id = cudaLaunchAttributeProgrammaticStreamSerialization;
      attributes[count++].val.programmaticStreamSerializationAllowed = 1;
    }
    if (cluster_of<Args>() != 1) {
      attributes[count].id = cudaLaunchAttributeClusterDimension;
      attributes[count++].val.clusterDim = {cluster_of<Args>(), 1, 1};
    }
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(static_cast<unsigned>(blocks));
    config.blockDim = dim3(static_cast<unsigned>(threads));
    config.dynamicSmemBytes = shared_bytes;
    config.stream = streams_[slot];
    config.attrs = attributes;
    config.numAttrs = count;
    if (shared_bytes > 48 * 1024)
      note(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)));
    const cudaError_t e = cudaLaunchKernelEx(&config, kernel, args);
    note(e);
    behind_kernel_[slot] = e == cudaSuccess;
  }

  template <class Launches>
  int record(int slot, Launches&& launches) noexcept {
    const current_device here(device_, failed_);
    cudaGraph_t graph = nullptr;
    int index = 0;
    while (index < most_graphs - 1 && graphs_[index] != nullptr) ++index;
    behind_kernel_[slot] = false;
    note(cudaStreamBeginCapture(streams_[slot], cudaStreamCaptureModeThreadLocal));
    launches();
    note(cudaStreamEndCapture(streams_[slot], &graph));
    behind_kernel_[slot] = false;
    if (failed_ == cudaSuccess) note(cudaGraphInstantiate(&graphs_[index], graph, 0));
    if (failed_ == cudaSuccess) note(cudaGraphUpload(graphs_[index], streams_[slot]));
    if (graph != nullptr) note(cudaGraphDestroy(graph));
    return index;
  }
  void replay(int slot, int graph) noexcept {
    const current_device here(device_, failed_);
    behind_kernel_[slot] = false;
    note(cudaGraphLaunch(graphs_[graph], streams_[slot]));
  }
  bool finished(int slot) noexcept {
    const current_device here(device_, failed_);
    const cudaError_t e = cudaStreamQuery(streams_[slot]);
    note(e == cudaErrorNotReady ? cudaSuccess : e);
    if (e == cudaErrorNotReady) (void)cudaGetLastError();  // or the next caller of CUDA would be told of it
    return e != cudaErrorNotReady;
  }

  result<void> begin() noexcept {
    const current_device here(device_, failed_);
    if (cudaStreamQuery(caller_) == cudaSuccess) return take();  // nothing to wait for
    (void)cudaGetLastError();                                    // it is not ready, or says below what is wrong
    note(cudaEventRecord(event_, caller_));
    for (cudaStream_t s : streams_) note(cudaStreamWaitEvent(s, event_, 0));
    return take();
  }
  result<void> wait(int slot) noexcept {
    const current_device here(device_, failed_);
    note(cudaStreamSynchronize(streams_[slot]));
    return take();
  }
  int processors() const noexcept { return processors_; }
  bool warpgroups() const noexcept { return warpgroups_; }

 private:
  cuda_runtime() noexcept = default;

  /// Fails where the program has no code for this GPU, rather than when texts come.
  cudaError_t ask_code() noexcept {
    probe_args args;
    cudaError_t e = cudaMallocHost(reinterpret_cast<void**>(&args.answer), sizeof *args.answer);
    if (e != cudaSuccess) return e;
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(1), config.blockDim = dim3(32), config.stream = streams_[0];
    e = cudaLaunchKernelEx(&config, &probe_kernel<32>, args);
    if (e == cudaSuccess) e = cudaStreamSynchronize(streams_[0]);
    if (e == cudaSuccess) warpgroups_ = *args.answer & code_has_warpgroups, overlaps_ = *args.answer & code_waits;
    const cudaError_t freed = cudaFreeHost(args.answer);
    return e == cudaSuccess ? freed : e;
  }
  void copy(int slot, void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) noexcept {
    const current_device here(device_, failed_);
    behind_kernel_[slot] = false;
    note(cudaMemcpyAsync(to, from, bytes, kind, streams_[slot]));
  }
  template <std::size_t N, class Allocate>
  static void* keep(void* (&list)[N], Allocate&& allocate) noexcept {
    for (void*& p : list)
      if (p == nullptr) {
        if (allocate(&p) == cudaSuccess) return p;
        (void)cudaGetLastError();  // the caller learns of it by the null; the next caller of CUDA must not
        return p = nullptr;
      }
    return nullptr;
  }
  /// Remembers the first failure; clears CUDA's own memory of it.
  void note(cudaError_t e) noexcept {
    if (e == cudaSuccess) return;
    (void)cudaGetLastError();
    if (failed_ == cudaSuccess) failed_ = e;
  }
  result<void> take() noexcept {
    const cudaError_t e = std::exchange(failed_, cudaSuccess);
    if (e == cudaSuccess) return {};
    return cuda_error(e);
  }
  void swap(cuda_runtime& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(processors_, other.processors_);
    std::swap(overlaps_, other.overlaps_);
    std::swap(warpgroups_, other.warpgroups_);
    std::swap(behind_kernel_, other.behind_kernel_);
    std::swap(caller_, other.caller_);
    std::swap(streams_, other.streams_);
    std::swap(event_, other.event_);
    std::swap(graphs_, other.graphs_);
    std::swap(on_device_, other.on_device_);
    std::swap(pinned_, other.pinned_);
    std::swap(failed_, other.failed_);
  }

  int device_ = -1, processors_ = 0;
  bool overlaps_ = false, warpgroups_ = false;
  bool behind_kernel_[2]{};  ///< whether the last thing in the stream is a kernel
  cudaStream_t caller_ = nullptr, streams_[2]{};
  cudaEvent_t event_ = nullptr;
  static constexpr int most_graphs = 32;
  cudaGraphExec_t graphs_[most_graphs]{};
  void* on_device_[4]{};
  void* pinned_[4]{};
  cudaError_t failed_ = cudaSuccess;
};

}  // namespace dupq::inline DUPQ_ABI::gpu
