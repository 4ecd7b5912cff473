// AVX-512 VNNI: products and sum are one instruction.
#include <immintrin.h>

#include "linear/planes.h"
#include "linear/tile.h"

namespace pi::linear {
namespace {

struct Vnni512 {
  using Vector = __m512i;
  static constexpr std::size_t kWords = 16;
  static constexpr std::size_t kPixels = 6;

  static Vector zero() { return _mm512_setzero_si512(); }
  static Vector load(const std::uint32_t* from) { return _mm512_loadu_si512(from); }
  static void store(std::uint32_t* to, Vector x) { _mm512_storeu_si512(to, x); }
  static Vector splat(std::uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
  static Vector dot(Vector sum, Vector x, Vector y) { return _mm512_dpwssd_epi32(sum, x, y); }
  static Vector join(Vector low, Vector high) {
    return _mm512_add_epi32(low, _mm512_slli_epi32(high, 16));
  }
};

}  // namespace

void convolve_planes_vnni512(const PlaneJob& job) { convolve_plane_job(job); }

void convolve_vnni512(const TileJob& job, std::size_t first_block, std::size_t last_block) {
  Convolver<Vnni512>::run(job, first_block, last_block);
}

}  // namespace pi::linear
