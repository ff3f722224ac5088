// What the device has to do, in order: all streams share one queue, which one thread works off.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

namespace emulator {

class WorkQueue {
 public:
  typedef uint64_t Ticket;  // grows with every piece of work

  Ticket submit(std::function<void()> work);
  // Waits until this piece and all before it are done.
  void wait(Ticket ticket);
  void wait_for_all();
  bool is_done(Ticket ticket);
  Ticket last();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable more_, less_;
  std::deque<std::function<void()>> waiting_;
  Ticket submitted_ = 0, completed_ = 0;
  Ticket demanded_ = 0;  // somebody waits for this one: what Fact::LAZY makes the worker wait for
  bool started_ = false;
};

WorkQueue& work_queue();

}  // namespace emulator
