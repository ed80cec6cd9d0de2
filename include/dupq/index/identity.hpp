// Which model an index is made with: vectors of different models cannot be compared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../core/config.hpp"
#include "../core/error.hpp"
#include "../core/prefix.hpp"
#include "../core/sha256.hpp"
#include "../model.hpp"

namespace dupq::inline DUPQ_ABI {

/// What an index must know of the model that makes its vectors.
struct index_model {
  std::string_view name;    ///< where the model is, for people and for who opens it again
  std::string_view digest;  ///< of everything that vectors depend on, index_digest
  std::size_t dim = 0;
  dupq::similarity similarity = dupq::similarity::cosine;
};

/// A digest of a bi-encoder's weights, tokenizer and settings: SHA-256 of the model file's keys, among them the digest
/// of its tensors, or of the tensors themselves in a file that has none. Thresholds, a file's names and where its
/// weights come from do not count.
inline hex_digest index_digest(const model& m) noexcept {
  sha256 all;
  const auto add = [&](const void* bytes, std::size_t size) {
    const std::uint64_t length = size;
    all.update({reinterpret_cast<const std::byte*>(&length), sizeof length});
    all.update({static_cast<const std::byte*>(bytes), size});
  };
  const gguf::file& file = m.file();
  file.for_each_key([&](std::string_view key, const gguf::value& v) {
    if (key == "dupq.threshold" || key == "general.name") return;
    if (begins_with(key, "dupq.cascade.") || begins_with(key, "dupq.training.")) return;
    add(key.data(), key.size());
    add(v.bytes.data(), v.bytes.size());
  });
  if (!file.find("dupq.digest")) all.update(file.bytes().subspan(file.data_offset()));
  return all.hex();
}

/// Whether two descriptions are of the same model. Errors: wrong_model, with the tails of both names.
inline result<void> check_same_model(const index_model& index, const index_model& given) noexcept {
  if (index.digest == given.digest && index.dim == given.dim && index.similarity == given.similarity) return {};
  char both[64];
  std::size_t n = 0;
  const auto put = [&](std::string_view part) {
    constexpr std::size_t most = 26;
    const std::string_view start = part.size() > most ? "..." : "";
    if (part.size() > most) part.remove_prefix(part.size() - most + start.size());
    for (const std::string_view s : {start, part})
      for (const char c : s)
        if (n < sizeof both) both[n++] = c;
  };
  put(index.name), put(", not "), put(given.name);
  return error(errc::wrong_model, {both, n});
}

}  // namespace dupq::inline DUPQ_ABI
