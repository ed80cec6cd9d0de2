// Are these two questions duplicates? Everything that a program needs on a CPU; the headers below also work alone.
#pragma once

#include "bi_encoder.hpp"         // IWYU pragma: export
#include "cascade.hpp"            // IWYU pragma: export
#include "cascade_band.hpp"       // IWYU pragma: export
#include "core/print_error.hpp"   // IWYU pragma: export
#include "core/thread_pool.hpp"   // IWYU pragma: export
#include "cross_encoder.hpp"      // IWYU pragma: export
#include "metrics.hpp"            // IWYU pragma: export
#include "model.hpp"              // IWYU pragma: export
#include "search/clusters.hpp"    // IWYU pragma: export
#include "search/cosine.hpp"      // IWYU pragma: export
#include "search/duplicates.hpp"  // IWYU pragma: export
#include "search/nearest.hpp"     // IWYU pragma: export
#include "split.hpp"              // IWYU pragma: export
