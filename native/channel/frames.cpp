#include "channel/frames.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>

namespace pi::channel {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostPieces = 512;      // a sendmsg; the kernel takes 1,024
constexpr std::size_t kAheadBytes = 8 << 10;  // below 1 us from memory
constexpr std::chrono::milliseconds kLongest(50);
constexpr std::size_t kPieceBytes = 128 << 10;  // summed while it is in the cache

// The number of bytes that have arrived; 0 if none have, and -1 if none will.
ssize_t receive_now(int socket, iovec* places, std::size_t count) {
  msghdr message{};
  message.msg_iov = places;
  message.msg_iovlen = count;
  const ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT);
  if (got > 0) return got;
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : -1;
}

// Bounds a wait that begins anew with every arrival, and the time of all waits together.
class Patience {
 public:
  explicit Patience(double seconds)
      : wait_(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))),
        end_(Clock::now() + kLongest) {
    renew();
  }
  void renew() { until_ = std::min(Clock::now() + wait_, end_); }
  bool over() const { return Clock::now() >= until_; }

 private:
  Clock::duration wait_;
  Clock::time_point end_;
  Clock::time_point until_;
};

}  // namespace

SentUpTo send_at_once(int socket, const iovec* pieces, std::size_t count) {
  SentUpTo place{0, 0};
  while (place.piece < count) {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces + place.piece);  // sendmsg does not write to it
    message.msg_iovlen = std::min(kMostPieces, count - place.piece);
    const ssize_t sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return place;
      throw SendError(errno, std::generic_category());
    }
    place.offset = static_cast<std::size_t>(sent);
    const std::size_t stop = place.piece + message.msg_iovlen;
    while (place.piece < stop && place.offset >= pieces[place.piece].iov_len) {
      place.offset -= pieces[place.piece++].iov_len;
    }
    if (place.piece < stop) return place;
  }
  return place;
}

void add_frame(const iovec* pieces, std::size_t count, Checksum& sum) {
  for (std::size_t i = 0; i < count; ++i) {
    sum.update(static_cast<const std::uint8_t*>(pieces[i].iov_base), pieces[i].iov_len);
    if (i == 0) sum.end_item();
  }
  sum.end_item();
}

Arrival poll_frame(int socket, const ExpectedFrame& frame, double poll_s, Prefetch* ahead,
                   Checksum* sum) {
  Patience patience(poll_s);
  std::size_t count = 0;
  while (count < frame.header_bytes) {
    iovec places[] = {{frame.header + count, frame.header_bytes - count},
                      {frame.payload, frame.payload_bytes}};
    const ssize_t got = receive_now(socket, places, frame.payload_bytes == 0 ? 1 : 2);
    if (got < 0) return {count, false};
    if (got == 0) {
      if (patience.over()) return {count, false};
      if (ahead != nullptr && count == 0) ahead->step(kAheadBytes);
      continue;
    }
    count += static_cast<std::size_t>(got);
    patience.renew();
    const std::size_t known = std::min(count, frame.header_bytes);
    if (std::memcmp(frame.header, frame.expected_header, known) != 0) return {count, false};
    if (known < frame.header_bytes && patience.over()) return {count, false};
  }
  std::size_t position = count - frame.header_bytes;
  if (sum != nullptr) {
    sum->update(frame.header, frame.header_bytes);
    sum->end_item();
    sum->update(frame.payload, position);
  }
  while (position < frame.payload_bytes) {
    iovec place = {frame.payload + position, std::min(kPieceBytes, frame.payload_bytes - position)};
    const ssize_t got = receive_now(socket, &place, 1);
    if (got < 0 || (got == 0 && patience.over())) return {frame.header_bytes + position, true};
    if (got == 0) continue;
    if (sum != nullptr) sum->update(frame.payload + position, static_cast<std::size_t>(got));
    position += static_cast<std::size_t>(got);
    patience.renew();
    // Bytes that come without a pause do not reach the look at the clock above.
    if (position < frame.payload_bytes && patience.over()) {
      return {frame.header_bytes + position, true};
    }
  }
  if (sum != nullptr) sum->end_item();
  return {frame.header_bytes + position, true};
}

}  // namespace pi::channel
