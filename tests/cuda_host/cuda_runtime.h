// A CUDA runtime whose GPUs are the emulator, so that runtime.cuh, the part of the library that calls CUDA, is tested
// where no GPU is. See driver.hpp for the rules that it watches.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "driver.hpp"

using cudaError_t = fake_cuda::failure;
inline constexpr cudaError_t cudaSuccess = fake_cuda::success, cudaErrorNotReady = fake_cuda::not_ready;
using cudaStream_t = fake_cuda::stream*;
using cudaEvent_t = fake_cuda::event*;
using cudaGraph_t = fake_cuda::graph*;
using cudaGraphExec_t = fake_cuda::graph*;

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3(unsigned n = 1) : x(n) {}
};
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
enum cudaLaunchAttributeID {
  cudaLaunchAttributeIgnore,
  cudaLaunchAttributeClusterDimension = 4,
  cudaLaunchAttributeProgrammaticStreamSerialization = 6
};
inline constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2, cudaHostAllocMapped = 2;

struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  struct {
    int programmaticStreamSerializationAllowed;
    struct {
      unsigned x, y, z;
    } clusterDim;
  } val;
};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
  cudaLaunchAttribute* attrs;
  unsigned numAttrs;
};

inline const char* cudaGetErrorName(cudaError_t e) { return fake_cuda::name(e); }
inline cudaError_t cudaGetLastError() { return fake_cuda::driver::self().take_last(); }
inline cudaError_t cudaGetDevice(int* device) { return fake_cuda::driver::self().get_device(device); }
inline cudaError_t cudaSetDevice(int device) { return fake_cuda::driver::self().set_device(device); }
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int device) {
  return fake_cuda::driver::self().processors(value, device);
}
template <class T>
cudaError_t cudaMalloc(T** p, std::size_t bytes) {
  return fake_cuda::driver::self().allocate(reinterpret_cast<void**>(p), bytes, true);
}
template <class T>
cudaError_t cudaMallocHost(T** p, std::size_t bytes) {
  return fake_cuda::driver::self().allocate(reinterpret_cast<void**>(p), bytes, false);
}
inline cudaError_t cudaHostAlloc(void** p, std::size_t bytes, unsigned) { return cudaMallocHost(p, bytes); }
inline cudaError_t cudaFree(void* p) { return fake_cuda::driver::self().release(p, true); }
inline cudaError_t cudaFreeHost(void* p) { return fake_cuda::driver::self().release(p, false); }

inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) {
  return fake_cuda::driver::self().create_stream(s);
}
inline cudaError_t cudaStreamDestroy(cudaStream_t s) { return fake_cuda::driver::self().destroy(s); }
inline cudaError_t cudaStreamSynchronize(cudaStream_t s) { return fake_cuda::driver::self().synchronize(s); }
inline cudaError_t cudaStreamQuery(cudaStream_t s) { return fake_cuda::driver::self().query(s); }
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) {
  return fake_cuda::driver::self().create_event(e);
}
inline cudaError_t cudaEventDestroy(cudaEvent_t e) { return fake_cuda::driver::self().destroy(e); }
inline cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) { return fake_cuda::driver::self().record(e, s); }
inline cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned) {
  return fake_cuda::driver::self().wait(s, e);
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t s) {
  return fake_cuda::driver::self().copy(to, from, bytes, kind == cudaMemcpyHostToDevice, s);
}
inline cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t s) {
  return fake_cuda::driver::self().set(to, value, bytes, s);
}

inline cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode) {
  return fake_cuda::driver::self().begin_capture(s);
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t* g) {
  return fake_cuda::driver::self().end_capture(s, g);
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t g, unsigned long long) {
  return fake_cuda::driver::self().instantiate(exec, g);
}
inline cudaError_t cudaGraphUpload(cudaGraphExec_t g, cudaStream_t s) { return fake_cuda::driver::self().upload(g, s); }
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t g, cudaStream_t s) { return fake_cuda::driver::self().launch(g, s); }
inline cudaError_t cudaGraphDestroy(cudaGraph_t g) { return fake_cuda::driver::self().destroy(g); }
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t g) { return fake_cuda::driver::self().destroy(g); }

template <class Args>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Args), cudaFuncAttribute, int bytes) {
  return fake_cuda::driver::self().allow_shared(reinterpret_cast<void*>(kernel), bytes);
}
template <class Args>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Args),
                               const std::type_identity_t<Args>& args) {
  fake_cuda::launch_request request;
  request.kernel = reinterpret_cast<void*>(kernel);
  request.shape.blocks = static_cast<int>(config->gridDim.x);
  request.shape.threads = static_cast<int>(config->blockDim.x);
  request.shape.shared_bytes = config->dynamicSmemBytes;
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    const cudaLaunchAttribute& a = config->attrs[i];
    if (a.id == cudaLaunchAttributeClusterDimension) request.shape.cluster = static_cast<int>(a.val.clusterDim.x);
    if (a.id == cudaLaunchAttributeProgrammaticStreamSerialization)
      request.shape.overlaps = a.val.programmaticStreamSerializationAllowed != 0;
  }
  return fake_cuda::driver::self().launch(config->stream, request, [kernel, args] { kernel(args); });
}
