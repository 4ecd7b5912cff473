#include "fss/layout.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "symmetric/tweak.h"

namespace pi::fss {
namespace {

constexpr std::size_t kBlockRow = std::size_t{kLanes} * kBlockBytes;
constexpr std::size_t kWordRow = std::size_t{kLanes} * 4;
constexpr std::size_t kBitRow = kLanes / 8;

std::size_t size(int count) { return static_cast<std::size_t>(count); }

TableShape shape_of(int bits) {
  if (bits == 0) return {};
  TableShape table{};
  table.bits = bits;
  table.first_digit = (bits - 1) % kDigitBits + 1;
  table.further_digits = (bits - table.first_digit) / kDigitBits;
  table.levels = table.further_digits > 0 ? bits - kDigitBits : 0;
  return table;
}

void check_table(int bits, const char* what) {
  if (bits > kMostTableBits) {
    throw std::invalid_argument(std::string(what) + ": the table has " + std::to_string(bits) +
                                " bits, the most are " + std::to_string(kMostTableBits) +
                                "; use the garbled gadget");
  }
}

// Returns the bytes of a table's corrections: half an entry per entry and stage of each digit.
std::size_t butterfly_bytes(const TableShape& table) {
  if (table.bits == 0) return 0;
  std::size_t bytes = 0;
  for (int digit = 0; digit <= table.further_digits; ++digit) {
    const int width = digit_width(table, digit);
    bytes += size(width) * (kBitRow << (width - 1));
  }
  return bytes;
}

// Puts the blocks of a table after the present ends of the state and the scratch.
TablePlace place_of(const TableShape& table, std::size_t& state, std::size_t& scratch) {
  TablePlace place{};
  if (table.bits == 0) return place;
  place.entry_bytes = std::max<std::size_t>(1, (std::size_t{1} << table.first_digit) / 8);
  if (table.levels == 0) return place;
  place.first_share = state;
  state += kBlockRow * size(table.levels + table.further_digits);
  place.level_shares = scratch;
  scratch += kBlockRow * size(table.levels - 1);
  place.leaf_tables = scratch;
  scratch += kBlockRow * size(table.further_digits);
  place.nodes = scratch;
  scratch += kBlockRow << table.levels;
  return place;
}

std::size_t bundle_bytes(const TableShape& table, int level) {
  return kBlockRow * (size(level < table.levels) + size(converts(table, level)));
}

// Refuses numbers that make no gadget, or one that needs no table.
void check_spec(const Spec& spec) {
  const bool relu = spec.kind == Kind::kRelu;
  const int f = spec.truncate_bits;
  const int top = relu ? spec.window_bits : 31;
  if (f < 0 || f > top || top > 31) {
    throw std::invalid_argument("no gadget truncates " + std::to_string(f) +
                                " bits with the window ending at bit " + std::to_string(top));
  }
  if (!relu && (!spec.exact || f == 0)) {
    throw std::invalid_argument(
        "a truncation that is not exact, or that truncates nothing, needs no table; use the "
        "garbled gadget");
  }
  const int drop = spec.sign_drop;
  if (drop < 0 || drop > (relu && !spec.exact ? top - f : 0)) {
    throw std::invalid_argument("sign_drop: " + std::to_string(drop) +
                                " bits leave no sign, or the gadget is exact or no ReLU");
  }
}

// Sets the tables and the fields that follow from the kind of gadget.
void set_tables(const Spec& spec, Layout& layout) {
  const bool relu = spec.kind == Kind::kRelu;
  const bool carry = spec.exact && spec.truncate_bits > 0;
  const int window = relu ? spec.window_bits + 1 - spec.truncate_bits : 0;
  const int sign_bits = relu ? window - spec.sign_drop - 1 + (carry ? 1 : 0) : 0;
  const int carry_bits = carry ? spec.truncate_bits : 0;
  check_table(sign_bits, "window");
  check_table(carry_bits, "truncate_bits");
  layout.sign = shape_of(sign_bits);
  layout.carry = shape_of(carry_bits);
  layout.versions = relu ? (carry ? 2 : 1) : 0;
  layout.wrap_bits = relu ? 32 - window : 0;
}

// Sets how many OTs and bits each party draws, and where its choices lie.
void set_choices(bool relu, bool carry, Layout& layout) {
  const int sign_bits = layout.sign.bits;
  layout.carry_select_at = 0;
  layout.top_mask_at = sign_bits;
  layout.select_at = sign_bits + 1;
  layout.carry_choices_at = relu ? sign_bits + 1 + layout.versions : 1;
  layout.choice_ots = layout.carry_choices_at + layout.carry.bits;
  layout.top_label_at = 0;
  layout.carry_path_at = relu ? layout.sign.levels : 1;
  layout.eps_label_at = layout.sign.levels + layout.carry.levels;
  layout.request_ots = layout.sign.levels + layout.carry.levels + 1;
  layout.server_bits = relu ? 0 : 1;
  layout.client_bits = relu ? (carry ? 2 : 1) : 1;
}

void set_messages(const Spec& spec, Layout& layout) {
  const bool relu = spec.kind == Kind::kRelu;
  const bool carry = layout.carry.bits > 0;
  const int f = spec.truncate_bits;
  const std::size_t wrap_row = size(layout.wrap_bits) * kBitRow;
  layout.correction_group_bytes = butterfly_bytes(layout.sign) + butterfly_bytes(layout.carry) +
                                  (carry ? kWordRow : 0) + (relu ? wrap_row : 0) +
                                  size(layout.versions) * (kWordRow + wrap_row);
  layout.opening_group_bytes = relu ? 0 : size(f) * kBitRow;
  layout.bundle_count = std::max(layout.sign.levels, layout.carry.levels);
  for (int level = 1; level <= layout.bundle_count; ++level) {
    layout.bundle_group_bytes[level] =
        bundle_bytes(layout.sign, level) + bundle_bytes(layout.carry, level);
  }
  const int carry_planes = carry ? f + 1 : 0;
  const int sign_planes = relu ? spec.window_bits + 1 - f - spec.sign_drop + layout.versions : 1;
  layout.online_group_bytes =
      size(layout.versions) * kWordRow + size(sign_planes + carry_planes) * kBitRow;
  layout.answer_words = (relu ? 1 : 0) + (carry ? 1 : 0);
  layout.share_versions = (relu ? 2 : 1) * (carry ? 2 : 1);
  layout.kept_group_bytes = size(layout.share_versions) * kWordRow + (carry ? kBitRow : 0);
}

void set_storage(bool relu, bool carry, Layout& layout) {
  std::size_t state = 0;
  layout.sign_place = place_of(layout.sign, state, layout.scratch_group_bytes);
  layout.carry_place = place_of(layout.carry, state, layout.scratch_group_bytes);
  for (TablePlace* place : {&layout.sign_place, &layout.carry_place}) {
    place->entries = state;
    state += kLanes * place->entry_bytes;
  }
  layout.server_words = layout.client_words = state;
  // Server: a, alpha and K of each version, and its share of the carry product; a truncation has
  // its pad and that share. Client: step, x0, beta and K of each version; a truncation has its
  // share, the wrap and its share of the carry product.
  const int server_words = relu ? 1 + 4 * layout.versions + (carry ? 1 : 0) : 2;
  const int client_words = relu ? 1 + 4 * layout.versions : 3;
  const int client_planes = relu ? 1 + layout.client_bits : 1;
  layout.server_planes = layout.server_words + size(server_words) * kWordRow;
  layout.client_planes = layout.client_words + size(client_words) * kWordRow;
  layout.server_state_group_bytes =
      layout.server_planes + size(layout.choice_ots + layout.server_bits) * kBitRow + kStepBytes;
  layout.client_state_group_bytes =
      layout.client_planes + size(client_planes) * kBitRow + kStepBytes;
}

}  // namespace

Layout layout_of(const Spec& spec) {
  check_spec(spec);
  const bool relu = spec.kind == Kind::kRelu;
  const bool carry = spec.exact && spec.truncate_bits > 0;
  Layout layout{};
  set_tables(spec, layout);
  set_choices(relu, carry, layout);
  set_messages(spec, layout);
  set_storage(relu, carry, layout);
  return layout;
}

}  // namespace pi::fss
