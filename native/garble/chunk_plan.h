// Cuts the garbler's bits into chunks that share one key on the wire.
#pragma once
#include "symmetric/tweak.h"

namespace pi {

inline constexpr int kMostGates = 31;
inline constexpr int kMostChunkBits = 4;

// These functions are always_inline because files use them that are compiled with different flags.

// Returns the width of the chunk that begins at gate `first`: `chunk` bits, or fewer at the end. A
// bit alone is no chunk but a plain label.
[[gnu::always_inline]] inline int chunk_width(int chunk, int gate_count, int first) {
  const int left = gate_count - first;
  return left < chunk ? left : chunk;
}

// Returns how many rows unlock a chunk of `width` bits: one per bit and pointer. Pointer 0 needs
// none.
[[gnu::always_inline]] inline int unlock_rows(int width) {
  return width > 1 ? width * ((1 << width) - 1) : 0;
}

// Returns how many hash keys the 32 lanes of a chunked bit are spread over, so that at most 256
// unknown chunk keys are hashed under one of them (docs/threat-model.md, the bound for chunks).
[[gnu::always_inline]] inline int chunk_hash_parts(int chunk) {
  return (kLanes * ((1 << chunk) - 1) + 255) / 256;
}

}  // namespace pi
