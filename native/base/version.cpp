#include "base/version.h"

namespace pi {
const char* version() { return "0.1.0"; }
}  // namespace pi
