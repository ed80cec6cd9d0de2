// A real model through the GPU's kernels, run by the emulator, against the CPU: many texts a pass, with warpgroups and
// without, and one or two.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <dupq/dupq.hpp>
#include <string>
#include <vector>

#include "csv.hpp"
#include "cuda/agreement.hpp"
#include "cuda/emulator/runtime.hpp"
#include "support/fixtures.hpp"
// The kernels come last, behind what emulates them.
#include <dupq/cuda/encoders.hpp>

namespace {

/// A GPU with warpgroups or without. It trusts the kernels: tests/cuda looks for their races, in smaller models.
class fast_gpu : public emulator::runtime {
 public:
  explicit fast_gpu(bool warpgroups) : emulator::runtime(1, 132), warpgroups_(warpgroups) { trusted = true; }
  bool warpgroups() const { return warpgroups_; }

 private:
  bool warpgroups_;
};

/// The questions of so many pairs of an example: pair i is 2 i and 2 i + 1.
std::vector<std::string> questions(std::size_t pairs) {
  dupq_tool::input_stream input("questions.csv",
                                fixtures::read_file(std::string(DUPQ_TEST_DIR) + "/../../examples/questions.csv"));
  dupq_tool::csv_reader rows(input, ',', dupq_tool::quote_rule::csv);
  dupq_tool::csv_record row;
  REQUIRE(rows.next(row));  // the header
  std::vector<std::string> all;
  while (all.size() < 2 * pairs && rows.next(row))
    for (std::size_t i : {0u, 1u}) all.emplace_back(row.fields.at(i));
  REQUIRE(all.size() == 2 * pairs);
  return all;
}

/// The largest change of a pair's cosine.
double score_change(const std::vector<float>& truth, const std::vector<float>& found, std::size_t dim) {
  const auto cosine = [dim](const std::vector<float>& v, std::size_t i) {
    return dupq::cosine({v.data() + i, dim}, {v.data() + i + dim, dim});
  };
  double most = 0;
  for (std::size_t i = 0; i < truth.size(); i += 2 * dim)
    most = std::max(most, std::fabs(double{cosine(truth, i)} - double{cosine(found, i)}));
  return most;
}

void check(const char* way, const dupq::model& m, std::size_t pairs, const dupq::limits& l, bool warpgroups) {
  const auto texts = questions(pairs);
  auto cpu = dupq::bi_encoder::make(m);
  auto gpu = dupq::gpu::bi_encoder<fast_gpu>::make(m, {.limits = l}, fast_gpu(warpgroups));
  cuda_test::require(cpu);
  cuda_test::require(gpu);
  const auto truth = cuda_test::encode(*cpu, texts, m.dim()), found = cuda_test::encode(*gpu, texts, m.dim());
  const auto c = cuda_test::check_near(truth, found, m.dim());
  const double change = score_change(truth, found, m.dim());
  MESSAGE(std::string(way), ", ", texts.size(), " questions: a component differs by ", c.component,
          " at most, the least cosine is ", c.cosine, ", a pair's score changes by ", change, " at most");
  CHECK(change < 2e-3);
}

}  // namespace

TEST_CASE("vectors by the kernels of a GPU") {
  const char* const name = std::getenv("DUPQ_MODEL");
  REQUIRE(name != nullptr);
  const auto m = dupq::model::open((std::string(DUPQ_MODELS) + "/" + name + ".gguf").c_str());
  cuda_test::require(m);
  const bool large = m->dim() > 384;  // its texts take eight times as long
  check("with warpgroups", *m, large ? 1 : 24, {}, true);
  check("without", *m, large ? 1 : 8, {}, false);
  check("one or two texts a pass", *m, large ? 1 : 2, {.texts = 2}, true);
}
