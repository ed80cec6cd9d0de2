// Files of an index: any bytes are a manifest, a segment or an error, and whatever is read of them lies within them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dupq/index.hpp>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace {

using namespace dupq::index_detail;

void require(bool truth) {
  if (!truth) std::abort();
}

struct release {
  void operator()(std::byte* p) const { std::free(p); }
};

/// Bytes at an address that is a multiple of dupq::alignment, and not one more than asked for.
std::unique_ptr<std::byte, release> allocate(std::size_t n) {
  void* p = nullptr;
  require(posix_memalign(&p, dupq::alignment, std::max<std::size_t>(n, 1)) == 0);
  return std::unique_ptr<std::byte, release>(static_cast<std::byte*>(p));
}

void require_line(const dupq::error& e) {
  char line[320];
  const std::size_t length = e.format(line, sizeof line);
  require(length > 0 && length < sizeof line && line[length] == '\0' && std::string_view(line).size() == length);
}

/// Writes the digest that these bytes would have, so that more than the digest is tried.
void mend_digest(std::span<std::byte> bytes) {
  const auto file = dupq::gguf::file::parse(bytes);
  if (!file) return;
  const auto stored = file->find(digest_key);
  if (!stored || stored->bytes.size() != sizeof(dupq::hex_digest)) return;
  const auto digest = manifest_digest(bytes, *file);
  if (digest) std::memcpy(bytes.data() + (stored->bytes.data() - bytes.data()), digest->digits, sizeof digest->digits);
}

void use_manifest(std::span<const std::byte> bytes) {
  const auto manifest = manifest_view::parse(bytes);
  if (!manifest) return require_line(manifest.error());
  const manifest_head& head = manifest->head();
  require(head.model.dim >= 1 && head.model.dim <= most_dim && head.segments <= most_segments);
  std::vector<manifest_entry> entries;
  dupq::gguf::tensor_place place;
  for (std::size_t i = 0; i < head.segments; ++i) {
    const auto e = manifest->segment(i, place);
    if (!e) return require_line(e.error());
    std::uint64_t bits = 0;
    for (const std::uint64_t word : e->removed) bits += static_cast<std::uint64_t>(std::popcount(word));
    require(bits == e->removed_rows && e->removed_rows <= e->rows);
    entries.push_back(*e);
  }
  // What is read can be written, and means the same.
  const auto again = manifest_bytes(head, entries);
  require(again.has_value());
  const auto parsed = manifest_view::parse(again->items());
  require(parsed && parsed->head().model.name == head.model.name && parsed->head().next_id == head.next_id);
}

void use_segment(std::span<const std::byte> bytes) {
  const auto file = dupq::gguf::file::parse(bytes);
  if (!file) return;
  const auto vectors = file->tensor("vectors");
  const auto digest = file->find("dupq.index.model");
  if (!vectors || !digest) return;
  for (const auto like : {dupq::similarity::cosine, dupq::similarity::euclidean}) {
    const dupq::index_model model{"model", digest->text(), static_cast<std::size_t>(vectors->extent[0]), like};
    require(!segment_view::parse(bytes, model, vectors->extent[1] + 1));
    const auto segment = segment_view::parse(bytes, model, vectors->extent[1]);
    if (!segment) return require_line(segment.error());
    std::uint64_t letters = 0;
    for (std::size_t row = 0; row < segment->size(); ++row) {
      const auto text = segment->text(row), id = segment->id(row);
      for (const auto* s : {&text, &id})
        if (*s)
          for (const char c : **s) letters += static_cast<unsigned char>(c);
        else
          require_line(s->error());
      if (!id) continue;
      const auto found = segment->find(*id);
      require(!found || *found <= segment->size());
    }
    if (segment->size() > 4096 || model.dim > 4096) return;
    dupq::neighbour room[3];
    dupq::best_neighbours best(room);
    const std::vector<float> query(model.dim, 0.5f + static_cast<float>(letters % 2));
    require(dupq::find_nearest(query, segment->rows(), {}, {&best, 1}).has_value());
    for (const dupq::neighbour& n : best.sorted()) require(n.row < segment->size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1u << 20) return 0;
  const auto copy = allocate(size);
  std::copy_n(reinterpret_cast<const std::byte*>(data), size, copy.get());
  const std::span<std::byte> bytes(copy.get(), size);
  use_manifest(bytes);
  mend_digest(bytes);
  use_manifest(bytes);
  use_segment(bytes);
  return 0;
}
