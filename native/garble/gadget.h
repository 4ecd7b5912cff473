// The gadgets' five steps, buffers to buffers. Element arrays and all buffers are group-major, so
// that the groups from G on of a buffer serve a call whose first_group is G.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"
#include "garble/layout.h"

namespace pi {

// What every step needs. `gadget` (24 bits) is unique in an inference; hash and label seeds and
// delta, 16 bytes each, are fresh for every inference.
struct GadgetCall {
  Isa isa;
  GadgetSpec spec;
  std::uint32_t gadget;
  std::uint32_t first_group;
  std::size_t group_count;
  int threads;
};

struct GarbleArguments {
  const std::uint8_t* delta;  // its lowest bit is 1
  const std::uint8_t* hash_seed;
  const std::uint8_t* label_seed;
  const std::uint8_t* zero_labels;  // [group][label_ots][32][16]: of the evaluator's bits
  const std::uint8_t* select_bits;  // ReLU: 0 or 1 an element, the reverse OT's choice
  const std::uint32_t* alpha;       // ReLU: the garbler's share of select * v''
  std::uint8_t* garbled;            // out
  std::uint8_t* state;              // out
};

struct AcceptArguments {
  const std::uint8_t* hash_seed;
  const std::uint32_t* v;
  const std::uint8_t* active_labels;  // [group][label_ots][32][16]
  std::uint8_t* garbled;              // words are completed in place
};

struct EncodeArguments {
  const std::uint8_t* delta;
  const std::uint8_t* label_seed;
  const std::uint8_t* state;
  const std::uint32_t* u;   // the garbler's share, without the offset
  std::uint8_t* message;    // out
  std::uint32_t* out_mask;  // out: y - r' = z - out_mask
};

struct EvaluateArguments {
  const std::uint8_t* hash_seed;
  const std::uint32_t* v;
  const std::uint32_t* beta;  // ReLU: the evaluator's share of select * v''
  const std::uint8_t* active_labels;
  const std::uint8_t* garbled;  // after accept
  const std::uint8_t* message;
  const std::uint32_t* next_mask;  // r'
  std::uint32_t* z;                // out
};

// Garbler, offline.
void garble(const GadgetCall& call, const GarbleArguments& arguments);
// Evaluator, offline.
void accept(const GadgetCall& call, const AcceptArguments& arguments);
// Garbler, online.
void encode(const GadgetCall& call, const EncodeArguments& arguments);
// Evaluator, online.
void evaluate(const GadgetCall& call, const EvaluateArguments& arguments);

// The evaluator's OT choices, a bit an OT in the order [group][position][lane]; and what the
// reverse OT multiplies by its choice: the signed window of v without its low bits, mod 2^32.
void choice_bits(const GadgetCall& call, const std::uint32_t* v, std::uint32_t* packed);
void correlation(const GadgetCall& call, const std::uint32_t* v, std::uint32_t* out);

}  // namespace pi
