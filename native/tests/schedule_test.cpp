// A schedule tells a lost connection from an error of its work.
#include "schedule/schedule.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>

namespace {

// Runs one item over a connection whose other end is closed, and names what is thrown.
std::string thrown_by(pi::schedule::Item item) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return "no sockets";
  close(ends[1]);
  pi::schedule::Schedule schedule({});
  schedule.add(std::move(item));
  const std::uint8_t part[4] = {};
  std::uint8_t header[8];
  const pi::schedule::Line line{ends[0], 0.001, part, 4, part, 4, header, nullptr, nullptr};
  std::int64_t end_ns = 0;
  std::string thrown = "nothing";
  try {
    schedule.run(0, line, &end_ns);
  } catch (const pi::channel::SendError&) {
    thrown = "a lost connection";
  } catch (const std::system_error&) {
    thrown = "an error of the work";
  }
  close(ends[0]);
  return thrown;
}

bool check(const std::string& thrown, const char* expected) {
  if (thrown == expected) return true;
  std::fprintf(stderr, "FAILED: %s was due, %s came\n", expected, thrown.c_str());
  return false;
}

}  // namespace

int main() {
  // Such as a thread that the system refuses.
  const auto fail = [] { throw std::system_error(EAGAIN, std::generic_category()); };
  const bool good = check(thrown_by(pi::schedule::Work{fail, 0}), "an error of the work") &&
                    check(thrown_by(pi::schedule::Send{{{nullptr, 0}}}), "a lost connection");
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
