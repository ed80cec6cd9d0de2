// Model files: any bytes are a model or an error, and what loads encodes texts into as many numbers as it promises.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dupq/bi_encoder.hpp>
#include <dupq/cross_encoder.hpp>
#include <dupq/static_encoder.hpp>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>

namespace {

void require(bool truth) {
  if (!truth) std::abort();
}

struct release {
  void operator()(std::byte* p) const { std::free(p); }
};
using buffer = std::unique_ptr<std::byte, release>;

/// Bytes at an address that is a multiple of dupq::alignment, and not one more than asked for.
buffer allocate(std::size_t n) {
  void* p = nullptr;
  require(posix_memalign(&p, dupq::alignment, std::max<std::size_t>(n, 1)) == 0);
  return buffer(static_cast<std::byte*>(p));
}

void require_line(const dupq::error& e) {
  char line[320];
  const std::size_t length = e.format(line, sizeof line);
  require(length > 0 && length < sizeof line && line[length] == '\0' && std::string_view(line).size() == length);
}

/// Every key and tensor lies within the file, and is found again by its name.
void walk(const dupq::gguf::file& file) {
  const auto inside = [&](std::span<const std::byte> part) {
    const auto all = file.bytes();
    return part.empty() || (part.data() >= all.data() && part.data() + part.size() <= all.data() + all.size());
  };
  std::size_t keys = 0, tensors = 0;
  file.for_each_key([&](std::string_view key, const dupq::gguf::value& v) {
    require(inside(v.bytes));
    const auto again = file.find(key);
    require(again && again->bytes.data() == v.bytes.data() && again->bytes.size() == v.bytes.size());
    ++keys;
  });
  file.for_each_tensor([&](const dupq::gguf::tensor& t) {
    require(inside(t.bytes) && !t.bytes.empty());
    const auto again = file.tensor(t.name);
    require(again && again->bytes.data() == t.bytes.data());
    ++tensors;
  });
  require(keys == file.key_count() && tensors == file.tensor_count());
}

constexpr std::string_view first = "what is C++? hello [SEP] caf\xC3\xA9", second = "hellos";

template <class Encoder>
std::size_t workspace_for(const dupq::config& c, const dupq::limits& l) {
  if constexpr (std::is_same_v<Encoder, dupq::static_encoder>)
    return Encoder::workspace_bytes(c, l);
  else
    return dupq::workspace_bytes(c, l);
}

template <class Encoder>
void encode(const dupq::model& m) {
  dupq::encoder_options options{.limits = {.text_tokens = std::min(m.config().max_length, 8u), .texts = 4}};
  const std::size_t needed = workspace_for<Encoder>(m.config(), options.limits);
  if (needed > 1u << 26) return;
  const buffer memory = allocate(needed);
  require(!Encoder::make(m, options, {memory.get(), needed - 1}));
  auto encoder = Encoder::make(m, options, {memory.get(), needed});
  if (!encoder) return require_line(encoder.error());
  const auto score = encoder->score(first, second);
  require(score.has_value());
  const std::string_view a[] = {first, second, ""}, b[] = {second, first, first};
  float scores[3];
  require(encoder->score(a, b, scores).has_value());
  // The same bits alone and in a batch; but a NaN has many, and its operands' order decides.
  require(std::isnan(*score) ? std::isnan(scores[0]) : std::memcmp(&scores[0], &*score, sizeof(float)) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1u << 20) return 0;
  const buffer copy = allocate(size);
  std::copy_n(reinterpret_cast<const std::byte*>(data), size, copy.get());
  const std::span<const std::byte> bytes(copy.get(), size);
  const auto file = dupq::gguf::file::parse(bytes);
  if (!file) return require_line(file.error()), 0;
  walk(*file);

  const auto needed = dupq::model::storage_bytes(bytes, {.settings = &dupq::all_settings});
  if (!needed) return require_line(needed.error()), 0;
  require(*needed <= 64 * (size + 4096));
  const buffer storage = allocate(*needed);
  const auto checked = dupq::model::load(bytes, {storage.get(), *needed}, {.settings = &dupq::all_settings});
  if (!checked) require_line(checked.error());
  // Unchecked, weights may be anything: the same happens, but for numbers that are none.
  const auto m =
      dupq::model::load(bytes, {storage.get(), *needed}, {.check_weights = false, .settings = &dupq::all_settings});
  require(!checked || m.has_value());
  require(!m || checked || checked.error().code == dupq::errc::not_finite);
  if (!m) return require_line(m.error()), 0;
  if (m->config().kind == dupq::model_kind::static_encoder)
    encode<dupq::static_encoder>(*m);
  else if (m->config().kind == dupq::model_kind::bi_encoder)
    encode<dupq::bi_encoder>(*m);
  else
    encode<dupq::cross_encoder>(*m);
  return 0;
}
