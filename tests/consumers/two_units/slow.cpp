#include "encode.inl"

std::vector<float> encode_slow(const char* path, const char* kernels) { return encode_all(path, kernels); }
