#include "garble/layout.h"

#include <stdexcept>
#include <string>

#include "garble/chunk_plan.h"
#include "symmetric/tweak.h"

namespace pi {
namespace {

constexpr std::size_t kLabelRow = std::size_t{kLanes} * kBlockBytes;
constexpr std::size_t kWordRow = std::size_t{kLanes} * 4;
constexpr std::size_t kBitRow = kLanes / 8;

// Refuses numbers that make no gadget.
void check_spec(const GadgetSpec& spec) {
  const bool relu = spec.kind == GadgetKind::kRelu;
  const int f = spec.truncate_bits;
  const int top = relu ? spec.window_bits : 31;
  if (f < 0 || f > top || top > 31 || (!relu && f > 30)) {
    throw std::invalid_argument("no gadget truncates " + std::to_string(f) +
                                " bits with the window ending at bit " + std::to_string(top));
  }
  if (spec.label_chunk < 1 || spec.label_chunk > kMostChunkBits) {
    throw std::invalid_argument("label_chunk: need 1 to " + std::to_string(kMostChunkBits) +
                                " bits, got " + std::to_string(spec.label_chunk));
  }
  const int drop = spec.sign_drop;
  if (drop < 0 || drop > (relu && !spec.exact ? top - f : 0)) {
    throw std::invalid_argument("sign_drop: " + std::to_string(drop) +
                                " bits leave no sign, or the gadget is exact or no ReLU");
  }
}

// Counts the keys that unlock the labels of the chunks, and the blocks of the garbled table.
void set_blocks(const GadgetSpec& spec, GadgetLayout& layout) {
  const bool halves = spec.garbling == Garbling::kThreeHalves;
  const auto gates = static_cast<std::size_t>(layout.gate_count);
  const int label_chunk = spec.label_chunk;
  layout.garbling = spec.garbling;
  layout.gate_keys = halves ? 3 : 2;
  layout.table_bytes = halves ? kLabelRow + kLabelRow / 2 : 2 * kLabelRow;
  layout.control_bytes = halves ? 3 * kBitRow : 0;
  layout.label_chunk = label_chunk;
  std::size_t rows = 0;
  for (int first = 0; first < layout.gate_count; first += label_chunk) {
    const int width = chunk_width(label_chunk, layout.gate_count, first);
    rows += static_cast<std::size_t>(unlock_rows(width));
    layout.label_rows += 1;
    layout.chunked_bits += width > 1 ? width : 0;
  }
  layout.chunk_rows_at = gates * layout.table_bytes;
  layout.control_at = layout.chunk_rows_at + rows * kLabelRow;
  layout.block_bytes = layout.control_at + gates * layout.control_bytes;
}

}  // namespace

GadgetLayout layout_of(const GadgetSpec& spec) {
  check_spec(spec);
  const bool relu = spec.kind == GadgetKind::kRelu;
  const int f = spec.truncate_bits;
  const bool carry = spec.exact && f > 0;

  GadgetLayout layout{};
  layout.first_bit = spec.exact ? 0 : f + spec.sign_drop;
  layout.top_bit = relu ? spec.window_bits : 31;
  layout.gate_count = relu ? layout.top_bit - layout.first_bit : (carry ? f : 0);
  layout.carry_at = carry ? f : -1;
  layout.label_ots = layout.gate_count + 1;
  set_blocks(spec, layout);

  const std::size_t carry_words = carry ? (relu ? 2 : 1) : 0;
  const std::size_t correction_words = (relu ? 3 : 1) + carry_words;
  const std::size_t state_words = (relu ? 6 : 1) + carry_words;
  const std::size_t state_bits = relu ? (carry ? 3 : 2) : 1;
  layout.garbled_group_bytes = layout.block_bytes + correction_words * kWordRow;
  layout.state_group_bytes = state_words * kWordRow + state_bits * kBitRow;
  layout.online_group_bytes = layout.label_rows * kLabelRow +
                              static_cast<std::size_t>(layout.chunked_bits) * kBitRow +
                              (relu ? kWordRow : 0) + kBitRow;
  return layout;
}

}  // namespace pi
