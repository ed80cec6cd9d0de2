#include <cstdio>
#include <cstring>
#include <dupq/dupq.hpp>
#include <string>
#include <vector>

std::vector<float> encode_slow(const char* path, const char* kernels);
std::vector<float> encode_fast(const char* path, const char* kernels);

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::size_t tables = 0;
  for (const dupq::kernels* table : dupq::available_kernels()) {
    const std::string name(table->name);
    const auto slow = encode_slow(argv[1], name.c_str());
    const auto fast = encode_fast(argv[1], name.c_str());
    if (slow.empty() || slow.size() != fast.size() ||
        std::memcmp(slow.data(), fast.data(), slow.size() * sizeof(float)) != 0)
      return std::printf("%s: the two units differ, or failed\n", name.c_str()), 1;
    ++tables;
  }
  std::printf("%zu tables, the same bits\n", tables);
  return tables == 0;
}
