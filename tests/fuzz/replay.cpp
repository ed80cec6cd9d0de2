// Runs a fuzz target without libFuzzer: on every file of its corpus, and on mutations of each with a fixed seed.
//
//   replay CORPUS_FOLDER [FILE MUTATION]     the second form runs one input, as the trace of a failure names it
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using input = std::vector<std::uint8_t>;
constexpr int mutations = 400;

input read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return input(std::istreambuf_iterator<char>(file), {});
}

/// Hands over an allocation of exactly the input's size, so that AddressSanitizer sees one byte too far.
void run(const input& bytes) {
  const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), exact.get());
  LLVMFuzzerTestOneInput(exact.get(), bytes.size());
}

std::size_t below(std::mt19937& random, std::size_t n) { return n == 0 ? 0 : random() % n; }

/// Overwrites up to eight bytes at a random place with a number that sizes and offsets get wrong.
void overwrite_number(input& bytes, std::mt19937& random) {
  constexpr std::uint64_t numbers[] = {0,          1,          0x7F,       0x80,        0xFF,       0x7FFF, 0xFFFF,
                                       0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, ~0ull >> 1, ~0ull,  ~0ull - 7};
  const std::uint64_t number = numbers[below(random, std::size(numbers))];
  const std::size_t width = std::size_t{1} << below(random, 4);
  const std::size_t at = below(random, bytes.size());
  std::memcpy(bytes.data() + at, &number, std::min(width, bytes.size() - at));
}

input mutate(input bytes, std::mt19937& random) {
  for (std::size_t rounds = 1 + below(random, 4); rounds != 0 && !bytes.empty(); --rounds) {
    const std::size_t at = below(random, bytes.size());
    const std::size_t length = 1 + below(random, std::min<std::size_t>(64, bytes.size() - at));
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = begin + static_cast<std::ptrdiff_t>(length);
    switch (below(random, 7)) {
      case 0: bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1u << below(random, 8))); break;
      case 1: bytes[at] = static_cast<std::uint8_t>(random()); break;
      case 2: overwrite_number(bytes, random); break;
      case 3: bytes.resize(at); break;
      case 4: bytes.erase(begin, end); break;
      case 5: {
        const input chunk(begin, end);
        const auto to = static_cast<std::ptrdiff_t>(below(random, bytes.size() + 1));
        bytes.insert(bytes.begin() + to, chunk.begin(), chunk.end());
        break;
      }
      default: std::reverse(begin, end);
    }
  }
  return bytes;
}

// What runs now, for the message of a crash.
char current[512];

extern "C" void report(int signal) {
  std::fputs(current, stderr);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  if (argc != 2 && argc != 4) return std::fprintf(stderr, "usage: %s CORPUS_FOLDER [FILE MUTATION]\n", argv[0]), 2;
  std::vector<fs::path> files;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(argv[1], missing))
    if (entry.is_regular_file()) files.push_back(entry.path());
  if (files.empty()) return std::fprintf(stderr, "%s: no corpus\n", argv[1]), 1;
  std::sort(files.begin(), files.end());
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}) std::signal(signal, report);

  const std::string only_file = argc == 4 ? argv[2] : "";
  const std::string only_mutation = argc == 4 ? argv[3] : "";
  std::size_t runs = 0;
  for (const fs::path& file : files) {
    const std::string name = file.filename().string();
    const input bytes = read(file);
    std::mt19937 random(static_cast<std::uint32_t>(bytes.size()));
    for (int mutation = 0; mutation <= mutations; ++mutation) {
      const input mutated = mutation == 0 ? bytes : mutate(bytes, random);
      if (argc == 4 && (name != only_file || std::to_string(mutation) != only_mutation)) continue;
      std::snprintf(current, sizeof current, "failed on: %s %s %s %d\n", argv[0], argv[1], name.c_str(), mutation);
      run(mutated);
      ++runs;
    }
  }
  std::printf("%zu inputs from %zu files\n", runs, files.size());
  return runs == 0;
}
