// A native call with its arguments, which were checked when it was made. It runs any number of
// times, without the interpreter's lock, and keeps its buffers exported.
#pragma once
#include <functional>
#include <memory>
#include <utility>

namespace pi::python {

struct Task {
  std::function<void()> run;
};

// Returns the task that calls a Call made of the arguments. Call holds views, which cannot be
// copied.
template <class Call, class... Arguments>
Task make_task(Arguments&&... arguments) {
  const auto call = std::make_shared<const Call>(std::forward<Arguments>(arguments)...);
  return {[call] { (*call)(); }};
}

}  // namespace pi::python
