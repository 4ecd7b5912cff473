// Holds an expanded AES-128 key, in the same form on every path.
#pragma once
#include <cstdint>

#include "symmetric/tweak.h"

namespace pi {

struct alignas(16) RoundKeys {
  std::uint8_t at[11][kBlockBytes];
};

inline constexpr int kRoundConstants[10] = {0x01, 0x02, 0x04, 0x08, 0x10,
                                            0x20, 0x40, 0x80, 0x1b, 0x36};

}  // namespace pi
