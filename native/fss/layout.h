// Describes the function of an FSS gadget, and derives the sizes of its buffers and messages.
#pragma once
#include <cstddef>
#include <cstdint>

namespace pi::fss {

inline constexpr int kDigitBits = 7;  // a table of 2^7 bits fills one block
inline constexpr int kMostTableBits = 15;
inline constexpr int kMostLevels = kMostTableBits - kDigitBits;
inline constexpr int kMostVersions = 2;
inline constexpr std::size_t kStepBytes = 4;  // at the end of a group's state

enum class Kind { kRelu, kTruncate };

// kRelu: y = ReLU(x + offset) >> truncate_bits over the window of bits up to window_bits.
// kTruncate: y = (x + offset) >> truncate_bits, exact, window_bits unused. A truncation that is not
// exact needs no table, so the garbled gadget's is used.
// If not exact, the carry of the low truncate_bits bits is dropped (the law T_v of the derivation).
struct Spec {
  Kind kind;
  int truncate_bits;
  int window_bits;
  bool exact;
  std::uint32_t offset;
  int sign_drop = 0;  // kRelu, not exact: bits above truncate_bits that the sign disregards
};

// Describes a shared table of 2^bits entries. The bits of an index are cut into digits: the first
// digit is on top and has `first_digit` bits, the others have kDigitBits. A tree of `levels`
// levels decides all bits but those of the last digit, and the leaves at the end of a digit hold
// the table of the next one.
struct TableShape {
  int bits;
  int first_digit;
  int further_digits;
  int levels;
};

// These functions are always_inline because files use them that are compiled with different flags.

// Returns the bit of the index that tree level `level`, 1 to levels, decides: digits from the top,
// the bits of a digit from the lowest.
[[gnu::always_inline]] inline int level_bit(const TableShape& table, int level) {
  const int first = table.bits - table.first_digit;
  if (level <= table.first_digit) return first + level - 1;
  const int below = level - table.first_digit - 1;
  return first - kDigitBits * (below / kDigitBits + 1) + below % kDigitBits;
}

// Says whether a digit ends at `level`, so that its nodes are also leaves.
[[gnu::always_inline]] inline bool converts(const TableShape& table, int level) {
  return level >= table.first_digit && level <= table.levels &&
         (level - table.first_digit) % kDigitBits == 0;
}

// Returns which of the further digits, from 0, the leaves of a level that converts hold.
[[gnu::always_inline]] inline int leaf_digit(const TableShape& table, int level) {
  return (level - table.first_digit) / kDigitBits;
}

// Returns the lowest bit of the index that belongs to a digit: 0 is the first one.
[[gnu::always_inline]] inline int digit_shift(const TableShape& table, int digit) {
  return table.bits - table.first_digit - kDigitBits * digit;
}
[[gnu::always_inline]] inline int digit_width(const TableShape& table, int digit) {
  return digit == 0 ? table.first_digit : kDigitBits;
}

// Says where the parts of a table lie in a group's state and in its scratch. Blocks are
// [lane][16]; the first digit's entries are [lane][entry_bytes].
struct TablePlace {
  std::size_t first_share;   // state: A_1; then the correction words of levels 2 on, then of leaves
  std::size_t entries;       // state: the first digit's table
  std::size_t entry_bytes;   // per lane
  std::size_t level_shares;  // scratch: A_2 to A_levels
  std::size_t leaf_tables;   // scratch: tables of the further digits
  std::size_t nodes;         // scratch: the nodes of one level and their hashes
};

// Holds the sizes of a gadget, per group of 32 elements, and the positions of its parts. Every
// buffer is group-major. Inside a group's state the blocks come first, then the entries of the
// first digits, then items of 32 words, then items of 32 packed bits. A state ends in a word that
// counts the steps that have used it.
struct Layout {
  TableShape sign;   // bits is 0 for a truncation and for a window of one bit
  TableShape carry;  // bits is 0 unless the gadget is exact and truncates
  int versions;      // payloads of a ReLU: 2 if the carry is known to neither party
  int wrap_bits;     // g: bits of the ring above the window
  int choice_ots;    // OTs per element that the server chooses
  int request_ots;   // OTs per element that the client chooses
  int server_bits;   // uniform bits per element that the server draws besides its choices
  int client_bits;   // uniform bits per element that the client draws

  // Positions among the server's choices. The sign table's bits begin at 0.
  int carry_select_at;   // rho of the server
  int top_mask_at;       // ReLU
  int select_at;         // ReLU: pi, one per version
  int carry_choices_at;  // the carry table's bits
  // Positions among the client's choices. The sign table's levels begin at 0.
  int top_label_at;   // truncation
  int carry_path_at;  // the carry table's levels
  int eps_label_at;   // ReLU: e

  std::size_t correction_group_bytes;  // client to server, offline, with the request
  std::size_t opening_group_bytes;     // server to client, offline, before its first bundle
  int bundle_count;
  std::size_t bundle_group_bytes[kMostLevels + 1];  // each way, by level; [0] is 0
  std::size_t online_group_bytes;                   // server to client, online
  int answer_words;  // client to server, besides z: 32 packed bits each
  std::size_t server_state_group_bytes;
  std::size_t client_state_group_bytes;
  std::size_t scratch_group_bytes;  // at each party, from the request to the last bundle
  int share_versions;               // words per element that the server's share may become
  std::size_t kept_group_bytes;     // at the server, from `encode` to `finish`

  TablePlace sign_place;
  TablePlace carry_place;
  std::size_t server_words;  // offset of the words in the server's state; its bits follow
  std::size_t client_words;
  std::size_t server_planes;
  std::size_t client_planes;
};

// Derives the sizes. Throws std::invalid_argument if the numbers make no gadget, or one whose
// tables are too large.
Layout layout_of(const Spec& spec);

}  // namespace pi::fss
