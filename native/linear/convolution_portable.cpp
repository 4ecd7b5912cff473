// Plain C++ for any processor: four lanes, which compilers turn into vectors of the target.
#include "linear/planes.h"
#include "linear/tile.h"

namespace pi::linear {
namespace {

struct Portable {
  static constexpr std::size_t kWords = 4;
  static constexpr std::size_t kPixels = 2;
  struct Vector {
    std::uint32_t words[kWords];
  };

  static Vector zero() { return {}; }
  static Vector load(const std::uint32_t* from) {
    Vector x;
    for (std::size_t i = 0; i < kWords; ++i) x.words[i] = from[i];
    return x;
  }
  static void store(std::uint32_t* to, const Vector& x) {
    for (std::size_t i = 0; i < kWords; ++i) to[i] = x.words[i];
  }
  static Vector splat(std::uint32_t x) { return {{x, x, x, x}}; }
  static Vector dot(Vector sum, const Vector& x, const Vector& y) {
    for (std::size_t i = 0; i < kWords; ++i) {
      sum.words[i] += product(x.words[i], y.words[i]) + product(x.words[i] >> 16, y.words[i] >> 16);
    }
    return sum;
  }
  static Vector join(Vector low, const Vector& high) {
    for (std::size_t i = 0; i < kWords; ++i) low.words[i] += high.words[i] << 16;
    return low;
  }

 private:
  // Of the low halves, signed.
  static std::uint32_t product(std::uint32_t x, std::uint32_t y) {
    return static_cast<std::uint32_t>(static_cast<std::int16_t>(x) * static_cast<std::int16_t>(y));
  }
};

}  // namespace

void convolve_planes_portable(const PlaneJob& job) { convolve_plane_job(job); }

void convolve_portable(const TileJob& job, std::size_t first_block, std::size_t last_block) {
  Convolver<Portable>::run(job, first_block, last_block);
}

}  // namespace pi::linear
