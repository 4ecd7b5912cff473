#include <immintrin.h>

#include "linear/planes.h"
#include "linear/tile.h"

namespace pi::linear {
namespace {

struct Avx2 {
  using Vector = __m256i;
  static constexpr std::size_t kWords = 8;
  static constexpr std::size_t kPixels = 3;

  static Vector zero() { return _mm256_setzero_si256(); }
  static Vector load(const std::uint32_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const Vector*>(from));
  }
  static void store(std::uint32_t* to, Vector x) {
    _mm256_storeu_si256(reinterpret_cast<Vector*>(to), x);
  }
  static Vector splat(std::uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); }
  static Vector dot(Vector sum, Vector x, Vector y) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, y));
  }
  static Vector join(Vector low, Vector high) {
    return _mm256_add_epi32(low, _mm256_slli_epi32(high, 16));
  }
};

}  // namespace

void convolve_planes_avx2(const PlaneJob& job) { convolve_plane_job(job); }

void convolve_avx2(const TileJob& job, std::size_t first_block, std::size_t last_block) {
  Convolver<Avx2>::run(job, first_block, last_block);
}

}  // namespace pi::linear
