#include "he/bit_packing.h"

#include <bit>
#include <cstring>

namespace pi::he {
namespace {

static_assert(std::endian::native == std::endian::little, "words are copied as they lie in memory");

constexpr std::uint64_t kMask = (std::uint64_t{1} << kPrimeBits) - 1;

}  // namespace

void pack(const std::uint64_t* values, std::size_t count, std::uint8_t* out) {
  std::uint64_t pending = 0;
  int bits = 0;
  std::uint8_t* const end = out + packed_bytes(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t word = pending | values[i] << bits;
    bits += kPrimeBits;
    if (bits < 64) {
      pending = word;
      continue;
    }
    std::memcpy(out, &word, sizeof(word));
    out += sizeof(word);
    bits -= 64;
    pending = values[i] >> (kPrimeBits - bits);
  }
  std::memcpy(out, &pending, static_cast<std::size_t>(end - out));
}

bool unpack(const std::uint8_t* in, std::size_t count, std::uint64_t p, std::uint64_t* values) {
  const std::uint8_t* const end = in + packed_bytes(count);
  std::uint64_t pending = 0;
  int bits = 0;
  std::uint64_t bad = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t value = pending;
    if (bits < kPrimeBits) {
      std::uint64_t word = 0;
      const auto left = static_cast<std::size_t>(end - in);
      const std::size_t size = left < sizeof(word) ? left : sizeof(word);
      std::memcpy(&word, in, size);
      in += size;
      value |= word << bits;
      pending = word >> (kPrimeBits - bits);
      bits += 64 - kPrimeBits;
    } else {
      pending >>= kPrimeBits;
      bits -= kPrimeBits;
    }
    values[i] = value & kMask;
    bad |= (p - 1 - values[i]) >> 63;
  }
  return bad == 0 && pending == 0;
}

}  // namespace pi::he
