// Runs the steps of an FSS gadget, from buffers to buffers. All arrays and buffers are group-major,
// so a call for the groups from G on takes the part of each buffer that begins at group G.
//
//   offline  server: uniform choices   -- reverse COTs of the choices -->
//            <-- label COTs of request_choices, corrections, bundle 1 -- client: request
//            server: answer, grow(1)   -- opening, bundles 1 and 2 -->
//            <-- bundles 2 and 3 --  client: accept_opening, grow(1), grow(2)     and so on
//   online   server: encode  -- message -->  client: evaluate  -- z, answer bits -->  server:
//   finish
//
// No step is run twice on the same labels, choices or state: it would give away delta or the
// difference of two values. Each state counts its steps, so `grow`, `accept_opening`, `encode` and
// `evaluate` throw std::invalid_argument, before they change anything, if they come a second time
// or too early, or on a state that was not begun. `request` and `answer` begin the count. Their
// callers must wipe labels in buffers and choices, and see to it that an extension serves once.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"
#include "fss/layout.h"
#include "ot/label_stream.h"

namespace pi::fss {

// Holds the arguments that every step takes. The hash seed has 16 bytes and is both parties'.
struct Call {
  Isa isa;
  Spec spec;
  std::uint32_t gadget;       // the gadget's number, below 2^24 and unique in an inference
  std::uint32_t first_group;  // the number of the buffers' first group
  std::size_t group_count;
  int threads;
};

struct RequestArguments {
  const std::uint8_t* delta;  // of the reverse COTs; its lowest bit is 0
  const std::uint8_t* hash_seed;
  const std::uint32_t* v;
  const std::uint32_t* bits;           // [group][client_bits], uniform
  const std::uint8_t* choice_labels;   // zero labels, [group][choice_ots][32][16]
  const std::uint8_t* request_labels;  // active labels, [group][request_ots][32][16]
  std::uint8_t* out_corrections;       // [group][correction_group_bytes]
  std::uint8_t* out_state;             // [group][client_state_group_bytes]
  std::uint8_t* out_scratch;           // [group][scratch_group_bytes]
  std::uint8_t* out_bundle;            // [group][bundle_group_bytes[1]]
};

struct AnswerArguments {
  const std::uint8_t* delta;  // of the label COTs; its lowest bit is 1
  const std::uint8_t* hash_seed;
  const std::uint32_t* choices;        // [group][choice_ots], uniform
  const std::uint32_t* bits;           // [group][server_bits], uniform
  const std::uint8_t* choice_labels;   // active labels
  const std::uint8_t* request_labels;  // zero labels
  const std::uint8_t* corrections;
  std::uint8_t* out_opening;  // [group][opening_group_bytes]
  std::uint8_t* out_state;    // [group][server_state_group_bytes]
  std::uint8_t* out_scratch;
  std::uint8_t* out_bundle;
};

enum class Party { kServer, kClient };

struct GrowArguments {
  Party party;
  const std::uint8_t* delta;  // the party's own
  const std::uint8_t* hash_seed;
  int level;
  const std::uint8_t* received;  // the other party's bundle `level`
  std::uint8_t* state;
  std::uint8_t* scratch;     // all zeros after the last level
  std::uint8_t* out_bundle;  // bundle level + 1, unless `level` is the last
};

struct AcceptOpeningArguments {
  const std::uint8_t* opening;
  std::uint8_t* state;
};

struct EncodeArguments {
  const std::uint8_t* delta;
  const std::uint8_t* hash_seed;
  std::uint8_t* state;        // spent by the step
  const std::uint32_t* u;     // the server's share, without the offset
  std::uint8_t* out_message;  // [group][online_group_bytes]
  std::uint8_t* out_kept;     // [group][kept_group_bytes]; its words are the versions of the share
};

struct EvaluateArguments {
  const std::uint8_t* delta;
  const std::uint8_t* hash_seed;
  std::uint8_t* state;  // spent by the step
  const std::uint8_t* message;
  const std::uint32_t* next_mask;  // r', the client's share of the result
  std::uint32_t* out_z;
  std::uint32_t* out_answer;  // [group][answer_words]: eps, then eta
};

struct FinishArguments {
  const std::uint8_t* kept;
  const std::uint32_t* z;
  const std::uint32_t* answer;
  std::uint32_t* out_share;  // y - r'
};

// Writes the client's OT choices, one bit per OT, in the order [group][position][lane].
void request_choices(const Call& call, const std::uint32_t* v, const std::uint32_t* bits,
                     std::uint32_t* packed);
void request(const Call& call, const RequestArguments& arguments);
void answer(const Call& call, const AnswerArguments& arguments);
// The same steps, which extend OTs where their labels are used. The arguments have null for those
// labels, and an extension has as many OTs as the groups need. `labels`: of request_labels.
void request(const Call& call, const RequestArguments& arguments, const SenderExtension& choices,
             const ReceiverExtension& labels);
void answer(const Call& call, const AnswerArguments& arguments, const SenderExtension& labels);
void grow(const Call& call, const GrowArguments& arguments);
void accept_opening(const Call& call, const AcceptOpeningArguments& arguments);
void encode(const Call& call, const EncodeArguments& arguments);
void evaluate(const Call& call, const EvaluateArguments& arguments);
void finish(const Call& call, const FinishArguments& arguments);

}  // namespace pi::fss
