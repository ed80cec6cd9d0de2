// Weights in half precision on their way to a GPU: kept as they are in the file, or widened when the model is opened
// and narrowed again, they are the same in its memory.
#include <doctest/doctest.h>

#include <cstring>
#include <dupq/cuda/weights.hpp>
#include <dupq/model.hpp>
#include <memory>
#include <string>

#include "golden/models.hpp"
#include "wide_model.hpp"

namespace gpu = dupq::gpu;
using dupq_tool::tensor_layout;

namespace {

/// The bytes that a GPU gets of a model.
std::string packed_bytes(const dupq::model& m, const gpu::shapes& s) {
  const auto weights = std::make_unique<gpu::packed_model>();
  dupq::arena counter;
  CHECK(weights->lay_out(counter, m.weights(), s, false));
  const std::unique_ptr<void, decltype(&dupq::os::release)> memory(dupq::os::allocate(counter.used()),
                                                                   &dupq::os::release);
  std::memset(memory.get(), 0, counter.used());
  dupq::arena filled({static_cast<std::byte*>(memory.get()), counter.used()});
  CHECK(weights->lay_out(filled, m.weights(), s, true));
  return {static_cast<const char*>(memory.get()), counter.used()};
}

bool lies_in(const std::byte* p, std::span<const std::byte> bytes) {
  return p >= bytes.data() && p < bytes.data() + bytes.size();
}

template <class File>
void check_same(const File& file, tensor_layout layout) {
  const dupq::model widened = file.open(dupq::model_options{}),
                    kept = file.open(dupq::model_options{.halves = &dupq::keep_halves});
  CHECK(!widened.weights().in_halves);
  CHECK(kept.weights().in_halves);
  for (const auto& layer : kept.weights().layers)
    for (const auto* matrix :
         {&layer.attention.qkv, &layer.attention.output, &layer.feed_forward.up, &layer.feed_forward.down}) {
      CHECK(matrix->panels == nullptr);
      CHECK(lies_in(matrix->halves, kept.file().bytes()) == (layout == tensor_layout::packed));
    }
  for (const bool warpgroups : {false, true})
    for (const bool few : {false, true}) {
      gpu::shapes s;
      REQUIRE(s.set(kept.config(), warpgroups, few));
      CHECK(packed_bytes(kept, s) == packed_bytes(widened, s));
    }
  // What has no floats is not for a CPU.
  const auto refused = [&](const auto& made) {
    REQUIRE(!made);
    CHECK(made.error().code == dupq::errc::unsupported);
  };
  refused(dupq::bi_encoder::make(kept));
  refused(dupq::cross_encoder::make(kept));
}

}  // namespace

TEST_CASE("a GPU gets the file's halves, whichever way the file is laid out") {
  for (const tensor_layout layout : {tensor_layout::packed, tensor_layout::plain})
    for (const std::string name : {"bert", "mpnet", "cross"})
      check_same(golden::converted(name, {.type = dupq_tool::weight_type::f16, .layout = layout}), layout);
}

TEST_CASE("so do the kernels that are for models of one width") {
  for (const auto kind : {golden::wide_model::kind::bert, golden::wide_model::kind::mpnet})
    check_same(golden::wide_model(kind, {.type = dupq_tool::weight_type::f16}), tensor_layout::packed);
}

TEST_CASE("a file without halves is as it was") {
  const golden::converted file("bert");
  const dupq::model m = file.open(dupq::model_options{.halves = &dupq::keep_halves});
  CHECK(!m.weights().in_halves);
  CHECK(golden::vectors(m, {"why"}) == golden::vectors(file.open(), {"why"}));
}
