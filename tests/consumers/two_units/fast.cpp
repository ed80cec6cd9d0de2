#include "encode.inl"

std::vector<float> encode_fast(const char* path, const char* kernels) { return encode_all(path, kernels); }
