// One of two translation units with the same kernels: they must link. (Each has kernel functions of its own: since
// version 13, nvcc gives their host sides internal linkage.)
#include <cstdio>

#include "instances.cuh"

int list_again(dupq_test::kernel* to);

int main() {
  dupq_test::kernel here[32], there[32];
  const int n = dupq_test::list_all(here);
  if (list_again(there) != n) return 1;
  std::printf("%d kernels\n", n);
}
