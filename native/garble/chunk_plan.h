// How the garbler's bits are cut into chunks that share one key on the wire.
#pragma once
#include "symmetric/tweak.h"

namespace pi {

inline constexpr int kMostGates = 31;
inline constexpr int kMostChunkBits = 4;

// always_inline: these are used in files that are compiled with different flags.

// The chunk that begins at gate `first`: `chunk` bits, fewer at the end. One bit alone is no chunk
// but a plain label.
[[gnu::always_inline]] inline int chunk_width(int chunk, int gate_count, int first) {
  const int left = gate_count - first;
  return left < chunk ? left : chunk;
}

// Rows that unlock a chunk of `width` bits: one a bit and pointer, and the row of pointer 0 is
// free.
[[gnu::always_inline]] inline int unlock_rows(int width) {
  return width > 1 ? width * ((1 << width) - 1) : 0;
}

// Hash keys that the 32 lanes of a chunked bit are spread over, so that at most 256 unknown chunk
// keys are hashed under one of them (docs/threat-model.md, the bound for chunks).
[[gnu::always_inline]] inline int chunk_hash_parts(int chunk) {
  return (kLanes * ((1 << chunk) - 1) + 255) / 256;
}

}  // namespace pi
