// Computes modulo the 50-bit primes without branches: every reduction is a masked subtraction.
#pragma once
#include <cstdint>

namespace pi::he {

__extension__ typedef unsigned __int128 u128;

// Returns x - bound if x >= bound, else x. Both are below 2^63.
inline std::uint64_t subtract_once(std::uint64_t x, std::uint64_t bound) {
  const std::uint64_t difference = x - bound;
  return difference + (bound & (0 - (difference >> 63)));
}

// Holds a constant factor with its quotient for Shoup's multiplication, floor(value * 2^64 / p).
struct Factor {
  std::uint64_t value;
  std::uint64_t quotient;
};

inline std::uint64_t high_word(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::uint64_t>((static_cast<u128>(a) * b) >> 64);
}

// Returns x * factor modulo p, below 2p, for every 64-bit x (Harvey 2014, algorithm 2).
inline std::uint64_t multiply_lazy(std::uint64_t x, const Factor& factor, std::uint64_t p) {
  return x * factor.value - high_word(x, factor.quotient) * p;
}

// Returns x * factor modulo p, for every 64-bit x.
inline std::uint64_t multiply(std::uint64_t x, const Factor& factor, std::uint64_t p) {
  return subtract_once(multiply_lazy(x, factor, p), p);
}

inline std::uint64_t add_mod(std::uint64_t a, std::uint64_t b, std::uint64_t p) {
  return subtract_once(a + b, p);
}

inline std::uint64_t subtract_mod(std::uint64_t a, std::uint64_t b, std::uint64_t p) {
  return subtract_once(a + p - b, p);
}

// Returns a small signed integer (|x| < p) modulo p.
inline std::uint64_t lift(std::int64_t x, std::uint64_t p) {
  const auto word = static_cast<std::uint64_t>(x);
  return word + (p & (0 - (word >> 63)));
}

}  // namespace pi::he
