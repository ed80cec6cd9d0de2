// A real model with weights of 8 bits: how near its vectors are to the exact ones.
#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <dupq/dupq.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "convert.hpp"
#include "support/fixtures.hpp"

TEST_CASE("int8: cosine to the exact vectors") {
  const char* const name = std::getenv("DUPQ_MODEL");
  REQUIRE(name != nullptr);
  const auto path = std::filesystem::temp_directory_path() / ("dupq-int8-" + std::to_string(::getpid()) + ".gguf");
  dupq_tool::convert_options options;
  options.type = dupq_tool::weight_type::int8;
  dupq_tool::convert(std::string(DUPQ_MODELS) + "/" + name, path.string(), options);
  const auto m = dupq::model::open(path.c_str());
  std::filesystem::remove(path);  // it stays mapped
  REQUIRE(m);
  auto encoder = dupq::bi_encoder::make(*m);
  REQUIRE(encoder);
  const auto texts = fixtures::read_model_texts(DUPQ_TEST_DIR, name);
  std::vector<float> vectors(texts.size() * m->dim());
  REQUIRE(encoder->encode(texts, vectors));
  const auto exact = fixtures::read_npy(std::string(DUPQ_TEST_DIR) + "/" + name + ".npy");
  REQUIRE(exact.size() == vectors.size());
  double sum = 0, least = 1;
  for (std::size_t i = 0; i < vectors.size(); i += m->dim()) {
    const double c = double{dupq::cosine({vectors.data() + i, m->dim()}, {exact.data() + i, m->dim()})};
    sum += c;
    least = std::min(least, c);
  }
  const double mean = sum / static_cast<double>(texts.size());
  MESSAGE(std::string(name), ": mean ", mean, ", least ", least);
  CHECK(mean > (std::string(name) == "all-MiniLM-L6-v2" ? 0.998 : 0.9975));
  CHECK(least > 0.98);
}
