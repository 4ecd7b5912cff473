// Moves the arguments of a step to the buffers of one group. The functions are always_inline
// because files use them that are compiled with different flags.
#pragma once
#include "fss/products.h"
#include "fss/steps.h"

namespace pi::fss {

[[gnu::always_inline]] inline RequestArguments at_group(RequestArguments in, const Layout& layout,
                                                        std::size_t group) {
  in.v += kLanes * group;
  in.bits += group * static_cast<std::size_t>(layout.client_bits);
  in.choice_labels = group_labels(in.choice_labels, group, layout.choice_ots);
  in.request_labels = group_labels(in.request_labels, group, layout.request_ots);
  in.out_corrections += group * layout.correction_group_bytes;
  in.out_state += group * layout.client_state_group_bytes;
  in.out_scratch += group * layout.scratch_group_bytes;
  in.out_bundle += group * layout.bundle_group_bytes[1];
  return in;
}

[[gnu::always_inline]] inline AnswerArguments at_group(AnswerArguments in, const Layout& layout,
                                                       std::size_t group) {
  in.choices += group * static_cast<std::size_t>(layout.choice_ots);
  in.bits += group * static_cast<std::size_t>(layout.server_bits);
  in.choice_labels = group_labels(in.choice_labels, group, layout.choice_ots);
  in.request_labels = group_labels(in.request_labels, group, layout.request_ots);
  in.corrections += group * layout.correction_group_bytes;
  in.out_opening += group * layout.opening_group_bytes;
  in.out_state += group * layout.server_state_group_bytes;
  in.out_scratch += group * layout.scratch_group_bytes;
  in.out_bundle += group * layout.bundle_group_bytes[1];
  return in;
}

[[gnu::always_inline]] inline EncodeArguments at_group(EncodeArguments in, const Layout& layout,
                                                       std::size_t group) {
  in.state += group * layout.server_state_group_bytes;
  in.u += kLanes * group;
  in.out_message += group * layout.online_group_bytes;
  in.out_kept += group * layout.kept_group_bytes;
  return in;
}

[[gnu::always_inline]] inline EvaluateArguments at_group(EvaluateArguments in, const Layout& layout,
                                                         std::size_t group) {
  in.state += group * layout.client_state_group_bytes;
  in.message += group * layout.online_group_bytes;
  in.next_mask += kLanes * group;
  in.out_z += kLanes * group;
  in.out_answer += group * static_cast<std::size_t>(layout.answer_words);
  return in;
}

}  // namespace pi::fss
