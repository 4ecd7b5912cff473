#include "schedule/schedule.h"

#include <chrono>
#include <cstring>
#include <utility>

namespace pi::schedule {

Schedule::Schedule(std::vector<Prefetch::Range> ranges)
    : ranges_(std::move(ranges)), ahead_(ranges_) {}

Stop Schedule::run(std::size_t first, const Line& line, std::int64_t* ends_ns) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point began = Clock::now();
  header_.resize(line.shared_bytes + line.own_bytes);
  if (first == 0) ahead_ = Prefetch(ranges_);
  for (std::size_t i = first; i < items_.size(); ++i) {
    Stop stop{i, true, {0, 0}, {0, false}};
    bool done = true;
    if (auto* message = std::get_if<Send>(&items_[i])) {
      write_header(line, i);
      done = send(*message, line, stop);
    } else if (const auto* awaited = std::get_if<Receive>(&items_[i])) {
      write_header(line, i);
      done = receive(*awaited, line, stop);
    } else {
      const auto& work = std::get<Work>(items_[i]);
      work.run();
      ahead_.drop(work.ranges_done);
    }
    if (!done) return stop;
    ends_ns[i] = std::chrono::nanoseconds(Clock::now() - began).count();
    if (ends_ns[i] > kLongestNs) return {i + 1, false, {0, 0}, {0, false}};
  }
  return {items_.size(), false, {0, 0}, {0, false}};
}

void Schedule::write_header(const Line& line, std::size_t item) {
  std::memcpy(header_.data(), line.shared, line.shared_bytes);
  std::memcpy(header_.data() + line.shared_bytes, line.own + item * line.own_bytes, line.own_bytes);
}

bool Schedule::send(Send& item, const Line& line, Stop& stop) {
  item.pieces[0] = {header_.data(), header_.size()};
  stop.sent = channel::send_at_once(line.socket, item.pieces.data(), item.pieces.size());
  // After it was sent: the peer works meanwhile. What is left will be sent by the caller.
  if (line.sent != nullptr) {
    channel::add_frame(item.pieces.data(), item.pieces.size(), *line.sent);
  }
  return stop.sent.piece == item.pieces.size();
}

bool Schedule::receive(const Receive& item, const Line& line, Stop& stop) {
  const channel::ExpectedFrame frame{header_.data(), line.header, header_.size(), item.payload,
                                     item.byte_count};
  stop.arrived = channel::poll_frame(line.socket, frame, line.poll_s, &ahead_, line.received);
  return stop.arrived.matches && stop.arrived.byte_count == header_.size() + item.byte_count;
}

}  // namespace pi::schedule
