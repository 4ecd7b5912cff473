// Portable kernels: a word at a time, 128-bit products.
#include "he/bit_packing.h"
#include "he/residue_kernels.h"

namespace pi::he {
namespace {

struct OneLane {
  using Word = std::uint64_t;
  using Multiplier = Factor;
  static constexpr std::size_t kCount = 1;

  static Word splat(std::uint64_t x) { return x; }
  template <class Item>
  static Word load(const Item* from) {
    return static_cast<Word>(static_cast<std::int64_t>(*from));
  }
  template <class Item>
  static void store(Item* to, Word x) {
    *to = static_cast<Item>(x);
  }
  static void pairs(const std::uint64_t* from, Word& even, Word& odd) {
    even = from[0];
    odd = from[1];
  }
  static Word gather(const std::uint64_t* from, const std::uint16_t* at) { return from[*at]; }
  static Word add(Word x, Word y) { return x + y; }
  static Word sub(Word x, Word y) { return x - y; }
  static Word band(Word x, Word y) { return x & y; }
  static Word bxor(Word x, Word y) { return x ^ y; }
  static Word left(Word x, int bits) { return x << bits; }
  static Word right(Word x, int bits) { return x >> bits; }
  static Word subtract_once(Word x, Word bound) { return he::subtract_once(x, bound); }
  static Word lift(Word x, Word p) { return he::lift(static_cast<std::int64_t>(x), p); }
  static bool below(Word x, Word p) { return x < p; }
  static Word multiply_low(Word x, Word y) { return x * y & ((Word{1} << 52) - 1); }
  static Word multiply_high(Word x, Word y) {
    return static_cast<Word>(static_cast<u128>(x) * y >> 52);
  }
  static Multiplier multiplier(const Factor& factor) { return factor; }
  static Word multiply_lazy(Word x, const Multiplier& factor, Word p) {
    return he::multiply_lazy(x, factor, p);
  }
  static constexpr auto pack = he::pack;
  static constexpr auto unpack = he::unpack;
};

}  // namespace

const ResidueKernels kScalarResidues = make_residue_kernels<OneLane>();

const ResidueKernels& residue_kernels([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kVaes512) return kIfmaResidues;
#endif
  return kScalarResidues;
}

}  // namespace pi::he
