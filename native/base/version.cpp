#include "base/version.h"

namespace pi {
const char* version() { return PI_BENCH_VERSION; }
}  // namespace pi
