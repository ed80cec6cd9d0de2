#include <doctest/doctest.h>

#include <dupq/core/sha256.hpp>
#include <string>

using dupq::sha256;
using dupq::sha256_hex;

namespace {

std::span<const std::byte> bytes(const std::string& s) { return std::as_bytes(std::span(s)); }

}  // namespace

TEST_CASE("the examples of FIPS 180") {
  CHECK(sha256_hex({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex(bytes("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex(bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(bytes(std::string(1'000'000, 'a'))) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("the digest does not depend on how the bytes arrive") {
  std::string text;
  for (std::size_t n = 0; n < 200; ++n, text += static_cast<char>(n)) {  // every length about the block's 64
    const std::string whole(sha256_hex(bytes(text)));
    for (const std::size_t step : {1u, 7u, 63u, 64u, 65u}) {
      sha256 h;
      for (std::size_t at = 0; at < text.size(); at += step)
        h.update(bytes(text).subspan(at, std::min(step, text.size() - at)));
      CHECK(h.hex() == whole);
      CHECK(h.hex() == whole);  // asking does not change it
    }
  }
}
