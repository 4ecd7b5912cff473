// AVX-512 IFMA kernels: eight residues a vector, 52-bit products.
//
// No function of another header may be instantiated here: the linker could keep this copy for
// processors that lack the instructions.
#include <immintrin.h>

#include "he/bit_packing.h"
#include "he/residue_kernels.h"

namespace pi::he {
namespace {

constexpr std::size_t kPackedLaneBytes = packed_bytes(kResidueLanes);  // 50
constexpr __mmask64 kPackedLanes = (__mmask64{1} << kPackedLaneBytes) - 1;

// Value i of eight begins in byte 50 i / 8, at one of its bits 0, 2, 4, 6; it ends six bytes on.
__m512i first_bits() { return _mm512_set_epi64(6, 4, 2, 0, 6, 4, 2, 0); }

struct Tables {
  alignas(64) std::uint8_t even[64], odd[64], spread[64];
  __mmask64 even_mask, odd_mask;
};

// even, odd: which byte of the shifted values of even (odd) number goes to each packed byte.
// spread: the packed bytes of each value.
constexpr Tables make_tables() {
  Tables t{};
  for (std::size_t value = 0; value < 8; ++value) {
    const std::size_t first = value * kPrimeBits / 8;
    for (std::size_t byte = 0; byte < 8; ++byte) {
      const auto from = static_cast<std::uint8_t>(8 * value + byte);
      t.spread[from] = static_cast<std::uint8_t>(first + byte);
      if (byte == 7 || first + byte >= kPackedLaneBytes) continue;
      (value % 2 == 0 ? t.even : t.odd)[first + byte] = from;
      (value % 2 == 0 ? t.even_mask : t.odd_mask) |= __mmask64{1} << (first + byte);
    }
  }
  return t;
}

constexpr Tables kTables = make_tables();

struct EightLanes {
  using Word = __m512i;
  struct Multiplier {
    Word value, quotient;
  };
  static constexpr std::size_t kCount = 8;

  static Word splat(std::uint64_t x) { return _mm512_set1_epi64(static_cast<long long>(x)); }
  static Word load(const std::uint64_t* from) { return _mm512_loadu_si512(from); }
  static Word load(const std::int32_t* from) {
    return _mm512_cvtepi32_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  static Word load(const std::uint32_t* from) {
    return _mm512_cvtepu32_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  static Word load(const std::int8_t* from) {
    return _mm512_cvtepi8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
  }
  static void store(std::uint64_t* to, Word x) { _mm512_storeu_si512(to, x); }
  static void store(std::uint32_t* to, Word x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi64_epi32(x));
  }
  static void store(std::int8_t* to, Word x) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm512_cvtepi64_epi8(x));
  }
  static void pairs(const std::uint64_t* from, Word& even, Word& odd) {
    const Word first = load(from), second = load(from + 8);
    even = _mm512_permutex2var_epi64(first, _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0), second);
    odd = _mm512_permutex2var_epi64(first, _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1), second);
  }
  // An automorphism adds a constant to the exponents of every 64 values, in this order of them: so
  // eight values come from at most two vectors, those of the first and of the fourth. A gather
  // takes twice as long.
  static Word gather(const std::uint64_t* from, const std::uint16_t* at) {
    const Word places =
        _mm512_cvtepu16_epi64(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    const std::uint64_t first = at[0] / 8u * 8u, second = at[3] / 8u * 8u;
    const __mmask8 in_second = _mm512_cmpge_epu64_mask(sub(places, splat(first)), splat(8));
    const Word lanes = band(places, splat(7));
    const Word select = _mm512_mask_add_epi64(lanes, in_second, lanes, splat(8));
    return _mm512_permutex2var_epi64(load(from + first), select, load(from + second));
  }
  static Word add(Word x, Word y) { return _mm512_add_epi64(x, y); }
  static Word sub(Word x, Word y) { return _mm512_sub_epi64(x, y); }
  static Word band(Word x, Word y) { return _mm512_and_si512(x, y); }
  static Word bxor(Word x, Word y) { return _mm512_xor_si512(x, y); }
  static Word left(Word x, unsigned bits) { return _mm512_slli_epi64(x, bits); }
  static Word right(Word x, unsigned bits) { return _mm512_srli_epi64(x, bits); }
  static Word subtract_once(Word x, Word bound) { return _mm512_min_epu64(x, sub(x, bound)); }
  static Word lift(Word x, Word p) { return _mm512_min_epu64(x, add(x, p)); }
  static bool below(Word x, Word p) { return _mm512_cmplt_epu64_mask(x, p) == 0xff; }
  static Word multiply_low(Word x, Word y) {
    return _mm512_madd52lo_epu64(_mm512_setzero_si512(), x, y);
  }
  static Word multiply_high(Word x, Word y) {
    return _mm512_madd52hi_epu64(_mm512_setzero_si512(), x, y);
  }
  static Multiplier multiplier(const Factor& factor) {
    return {splat(factor.value), splat(factor.quotient >> 12)};
  }
  static Word multiply_lazy(Word x, const Multiplier& factor, Word p) {
    const Word quotient = multiply_high(x, factor.quotient);
    const Word difference = sub(multiply_low(x, factor.value), multiply_low(quotient, p));
    return band(difference, splat((std::uint64_t{1} << 52) - 1));
  }

  static void pack(const std::uint64_t* values, std::size_t count, std::uint8_t* out) {
    const Word even = _mm512_load_si512(kTables.even), odd = _mm512_load_si512(kTables.odd);
    const std::size_t whole = count / 8 * 8;
    for (std::size_t i = 0; i < whole; i += 8, out += kPackedLaneBytes) {
      const Word shifted = _mm512_sllv_epi64(load(values + i), first_bits());
      _mm512_mask_storeu_epi8(
          out, kPackedLanes,
          _mm512_or_si512(_mm512_maskz_permutexvar_epi8(kTables.even_mask, even, shifted),
                          _mm512_maskz_permutexvar_epi8(kTables.odd_mask, odd, shifted)));
    }
    he::pack(values + whole, count - whole, out);
  }

  static bool unpack(const std::uint8_t* in, std::size_t count, std::uint64_t p,
                     std::uint64_t* values) {
    const Word spread = _mm512_load_si512(kTables.spread), prime = splat(p);
    const Word mask = splat((std::uint64_t{1} << kPrimeBits) - 1);
    const std::size_t whole = count / 8 * 8;
    __mmask8 good = 0xff;
    for (std::size_t i = 0; i < whole; i += 8, in += kPackedLaneBytes) {
      const Word bytes = _mm512_permutexvar_epi8(spread, _mm512_maskz_loadu_epi8(kPackedLanes, in));
      const Word value = band(_mm512_srlv_epi64(bytes, first_bits()), mask);
      good &= _mm512_cmplt_epu64_mask(value, prime);
      store(values + i, value);
    }
    return he::unpack(in, count - whole, p, values + whole) && good == 0xff;
  }
};

}  // namespace

const ResidueKernels kIfmaResidues = make_residue_kernels<EightLanes>();

}  // namespace pi::he
