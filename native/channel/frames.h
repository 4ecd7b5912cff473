// Sends and receives frames on a connected stream socket, as far as that goes without sleeping. The
// layout of a header is no matter of this code: it compares the bytes with the expected ones.
#pragma once
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <system_error>

#include "base/prefetch.h"
#include "checksum/checksum.h"

namespace pi::channel {

// The place in a list of pieces before which everything has been sent.
struct SentUpTo {
  std::size_t piece;
  std::size_t offset;  // in bytes of that piece
};

// A frame cannot be sent: the connection is lost.
class SendError : public std::system_error {
  using std::system_error::system_error;
};

// Sends `count` pieces as far as the socket takes them at once. {count, 0} means all of them.
// Throws SendError if the connection is lost.
SentUpTo send_at_once(int socket, const iovec* pieces, std::size_t count);

// Adds a frame, whose first piece is its header, to a checksum.
void add_frame(const iovec* pieces, std::size_t count, Checksum& sum);

// Describes the next frame: the header that is expected and the places of header and payload.
struct ExpectedFrame {
  const std::uint8_t* expected_header;
  std::uint8_t* header;
  std::size_t header_bytes;
  std::uint8_t* payload;
  std::size_t payload_bytes;
};

struct Arrival {
  std::size_t byte_count;  // of header and payload together
  bool matches;            // the header has come and is the expected one
};

// Asks the socket again and again for the frame, and gives up when nothing has come for `poll_s`
// seconds, the connection has ended, or the header is another one. It also gives up after 50 ms in
// all, so that the caller can look at signals, however slowly the bytes come. While it waits for
// the first byte it takes steps of `ahead`. If the header matches, `sum` has got header and payload
// as far as they have come, and the end of the payload once it is complete. Otherwise it has got
// nothing. `ahead` and `sum` may be null.
Arrival poll_frame(int socket, const ExpectedFrame& frame, double poll_s, Prefetch* ahead,
                   Checksum* sum);

}  // namespace pi::channel
