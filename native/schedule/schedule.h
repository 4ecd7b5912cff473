// Carries out one party's messages and the work between them, in a fixed order and without a
// caller between the items. Who makes the schedule decides everything; here it is only followed.
#pragma once
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <variant>
#include <vector>

#include "base/prefetch.h"
#include "channel/frames.h"
#include "checksum/checksum.h"

namespace pi::schedule {

// Sends a frame. The first piece is left free for its header.
struct Send {
  std::vector<iovec> pieces;
};

// Receives a frame's payload.
struct Receive {
  std::uint8_t* payload;
  std::size_t byte_count;
};

// Computes something. Afterwards the first `ranges_done` ranges are not needed any more.
struct Work {
  std::function<void()> run;
  std::size_t ranges_done;
};

using Item = std::variant<Send, Receive, Work>;

// Describes the connection and the headers of this use. The header of item i is `shared` followed
// by part i of `own`. Received headers go to `header`, which is as long. The checksums may be null.
struct Line {
  int socket;
  double poll_s;
  const std::uint8_t* shared;
  std::size_t shared_bytes;
  const std::uint8_t* own;
  std::size_t own_bytes;  // of one part
  std::uint8_t* header;
  Checksum* sent;
  Checksum* received;
};

// The place where it ended. Every item before `item` is done. `sent` or `arrived` says how far that
// item is, if it is a message that would have to sleep, or that is not the expected one. Neither
// has begun where `begun` is false.
struct Stop {
  std::size_t item;
  bool begun;
  channel::SentUpTo sent;
  channel::Arrival arrived;
};

class Schedule {
 public:
  // `ranges` are what the work reads, in its order. They are read ahead while messages are awaited.
  explicit Schedule(std::vector<Prefetch::Range> ranges);

  void add(Item item) { items_.push_back(std::move(item)); }
  std::size_t size() const { return items_.size(); }

  // Carries out the items from `first` on. ends_ns[i] becomes the time at which item i was done,
  // in nanoseconds since the call. It ends after an item by which it has taken kLongestNs, so that
  // the caller can look at signals. Throws channel::SendError if a frame cannot be sent, and
  // whatever work throws.
  Stop run(std::size_t first, const Line& line, std::int64_t* ends_ns);

 private:
  static constexpr std::int64_t kLongestNs = 50'000'000;

  void write_header(const Line& line, std::size_t item);
  bool send(Send& item, const Line& line, Stop& stop);
  bool receive(const Receive& item, const Line& line, Stop& stop);

  std::vector<Item> items_;
  std::vector<Prefetch::Range> ranges_;
  Prefetch ahead_;
  std::vector<std::uint8_t> header_;  // that is sent or expected
};

}  // namespace pi::schedule
