// Activations that few models have, over lanes of sixteen floats, included by kernels.inl. Each gives the bits of
// formulas.hpp's function of the same name.

namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS {

DUPQ_LANE f32x16 gelu_tanh(f32x16 x) noexcept {
  const f32x16 zero = splat(0.0f);
  const f32x16 positive = greater(x, zero), negative = smaller(x, zero);
  const f32x16 a = sub(negative, positive);
  const f32x16 scale = fused(mul(a, a), splat(formulas::gelu_tanh_cubic), splat(formulas::gelu_tanh_linear));
  const f32x16 e = exp_negative(mul(a, scale));
  return div(fused(negative, e, positive), add(splat(1.0f), e));
}

template <hidden_activation Act>
DUPQ_LANE f32x16 hidden(f32x16 x) noexcept {
  if constexpr (Act == hidden_activation::gelu_tanh) return gelu_tanh(x);
  return greater(x, splat(0.0f));
}

/// In place, over `rows` rows of n, `stride` apart.
template <hidden_activation Act>
DUPQ_ISA void activate_rows(std::size_t rows, std::size_t n, std::size_t stride, float* x) noexcept {
  for (; rows != 0; --rows, x += stride) {
    std::size_t i = 0;
    for (; i + 16 <= n; i += 16) store(x + i, hidden<Act>(load(x + i)));
    if (i < n) store_first(x + i, n - i, hidden<Act>(load_first(x + i, n - i, 0.0f)));
  }
}

}  // namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS
