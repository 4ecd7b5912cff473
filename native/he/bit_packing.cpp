#include "he/bit_packing.h"

namespace pi::he {

void pack(const std::uint64_t* values, std::size_t count, std::uint8_t* out) {
  u128 pending = 0;
  int bits = 0;
  for (std::size_t i = 0; i < count; ++i) {
    pending |= static_cast<u128>(values[i]) << bits;
    for (bits += kPrimeBits; bits >= 8; bits -= 8, pending >>= 8)
      *out++ = static_cast<std::uint8_t>(pending);
  }
  if (bits != 0) *out = static_cast<std::uint8_t>(pending);
}

bool unpack(const std::uint8_t* in, std::size_t count, std::uint64_t p, std::uint64_t* values) {
  constexpr std::uint64_t kMask = (std::uint64_t{1} << kPrimeBits) - 1;
  u128 pending = 0;
  int bits = 0;
  std::uint64_t bad = 0;
  for (std::size_t i = 0; i < count; ++i) {
    for (; bits < kPrimeBits; bits += 8) pending |= static_cast<u128>(*in++) << bits;
    values[i] = static_cast<std::uint64_t>(pending) & kMask;
    bad |= (p - 1 - values[i]) >> 63;
    pending >>= kPrimeBits;
    bits -= kPrimeBits;
  }
  return bad == 0 && pending == 0;
}

}  // namespace pi::he
