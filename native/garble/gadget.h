// Runs the steps of a gadget, from buffers to buffers. All arrays and buffers are group-major, so a
// call for the groups from G on takes the part of each buffer that begins at group G.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"
#include "garble/layout.h"

namespace pi {

// Holds the arguments that every step takes. Hash seeds, label seeds and delta have 16 bytes each
// and are fresh for every inference.
struct GadgetCall {
  Isa isa;
  GadgetSpec spec;
  std::uint32_t gadget;       // the gadget's number, below 2^24 and unique in an inference
  std::uint32_t first_group;  // the number of the buffers' first group
  std::size_t group_count;
  int threads;
};

struct GarbleArguments {
  const std::uint8_t* delta;  // its lowest bit is 1
  const std::uint8_t* hash_seed;
  const std::uint8_t* label_seed;
  const std::uint8_t* zero_labels;  // of the evaluator's bits: [group][label_ots][32][16]
  const std::uint8_t* select_bits;  // ReLU: 0 or 1 per element, the reverse OT's choice
  const std::uint32_t* alpha;       // ReLU: the garbler's share of select * v''
  std::uint8_t* out_garbled;        // [group][garbled_group_bytes], for the evaluator
  std::uint8_t* out_state;          // [group][state_group_bytes], for `encode`
};

struct AcceptArguments {
  const std::uint8_t* hash_seed;
  const std::uint32_t* v;
  const std::uint8_t* active_labels;  // [group][label_ots][32][16]
  std::uint8_t* garbled;              // its correction words are completed in place
};

struct EncodeArguments {
  const std::uint8_t* delta;
  const std::uint8_t* label_seed;
  const std::uint8_t* state;
  const std::uint32_t* u;     // the garbler's share, without the offset
  std::uint8_t* out_message;  // [group][online_group_bytes], for the evaluator
  std::uint32_t* out_mask;    // y - r' = z - out_mask
};

struct EvaluateArguments {
  const std::uint8_t* hash_seed;
  const std::uint32_t* v;
  const std::uint32_t* beta;  // ReLU: the evaluator's share of select * v''
  const std::uint8_t* active_labels;
  const std::uint8_t* garbled;  // after accept
  const std::uint8_t* message;
  const std::uint32_t* next_mask;  // r', the evaluator's share of the result
  std::uint32_t* out_z;            // the answer to the garbler
};

// The garbler's step of the offline phase.
void garble(const GadgetCall& call, const GarbleArguments& arguments);
// The evaluator's step of the offline phase.
void accept(const GadgetCall& call, const AcceptArguments& arguments);
// The garbler's step of the online phase.
void encode(const GadgetCall& call, const EncodeArguments& arguments);
// The evaluator's step of the online phase.
void evaluate(const GadgetCall& call, const EvaluateArguments& arguments);

// Writes the evaluator's OT choices, one bit per OT, in the order [group][position][lane].
void choice_bits(const GadgetCall& call, const std::uint32_t* v, std::uint32_t* packed);

// Writes the factor that the reverse OT multiplies by the select bit: the signed window of v
// without its low bits, mod 2^32. Only a ReLU has one.
void correlation(const GadgetCall& call, const std::uint32_t* v, std::uint32_t* out);

}  // namespace pi
