// Holds 16 bytes for transpose.h, in plain C++.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pi::portable {

// Implements the interface that bytes_aesni.h documents.
struct Bytes {
  std::uint8_t v[16];

  static Bytes load(const std::uint8_t* from) {
    Bytes out;
    std::memcpy(out.v, from, sizeof out.v);
    return out;
  }
  void store(std::uint8_t* to) const { std::memcpy(to, v, sizeof v); }
  static Bytes interleave_low(const Bytes& a, const Bytes& b) { return interleave(a.v, b.v); }
  static Bytes interleave_high(const Bytes& a, const Bytes& b) {
    return interleave(a.v + 8, b.v + 8);
  }

  template <int kShift, int kMask>
  static void swap_bits(Bytes& a, Bytes& b) {
    for (int i = 0; i < 16; ++i) {
      const int t = ((a.v[i] >> kShift) ^ b.v[i]) & kMask;
      b.v[i] = static_cast<std::uint8_t>(b.v[i] ^ t);
      a.v[i] = static_cast<std::uint8_t>(a.v[i] ^ (t << kShift));
    }
  }
  Bytes xor_masked(const Bytes& other, const std::uint8_t* mask) const {
    Bytes out;
    for (int i = 0; i < 16; ++i)
      out.v[i] = static_cast<std::uint8_t>(v[i] ^ (other.v[i] & mask[i]));
    return out;
  }

 private:
  static Bytes interleave(const std::uint8_t* a, const std::uint8_t* b) {
    Bytes out;
    for (int i = 0; i < 8; ++i) {
      out.v[2 * i] = a[i];
      out.v[2 * i + 1] = b[i];
    }
    return out;
  }
};

}  // namespace pi::portable
