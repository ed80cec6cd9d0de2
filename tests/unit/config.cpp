#include <doctest/doctest.h>

#include <dupq/core/config.hpp>
#include <dupq/model/metadata.hpp>
#include <set>
#include <string_view>

TEST_CASE("dimensions follow from a config") {
  constexpr dupq::config c{.hidden = 384, .heads = 12, .pooling = {.cls = true, .mean = true}};
  static_assert(c.dim() == 768);
  static_assert(c.head_dim() == 32);
  static_assert(dupq::config{}.dim() == 0);
  static_assert(dupq::config{}.head_dim() == 0);
  CHECK(c.pooling.modes() == 2);
}

TEST_CASE("every pooling has a name, and the name gives the pooling") {
  std::set<std::string_view> names;
  for (unsigned bits = 0; bits < 8; ++bits) {
    const dupq::pooling p{.cls = (bits & 1) != 0, .max = (bits & 2) != 0, .mean = (bits & 4) != 0};
    CHECK(p.modes() == (bits & 1) + (bits >> 1 & 1) + (bits >> 2 & 1));
    names.insert(name(p));
    CHECK(dupq::parse_pooling(name(p)) == p);
  }
  CHECK(names.size() == 8);
  CHECK(name(dupq::pooling{}) == "none");
  CHECK(name(dupq::pooling{.cls = true, .max = true, .mean = true}) == "cls+max+mean");
  for (const std::string_view other : {"", "Mean", "mean+cls", "cls+", "last"}) CHECK(!dupq::parse_pooling(other));
}

TEST_CASE("names as model files spell them") {
  CHECK(name(dupq::architecture::bert) == "bert");
  CHECK(name(dupq::architecture::mpnet) == "mpnet");
  CHECK(name(dupq::model_kind::bi_encoder) == "bi_encoder");
  CHECK(name(dupq::model_kind::cross_encoder) == "cross_encoder");
  CHECK(name(dupq::score_activation::identity) == "identity");
  CHECK(name(dupq::score_activation::sigmoid) == "sigmoid");
}
