#include "work_queue.h"

#include <algorithm>
#include <thread>

#include "facts.h"

namespace emulator {

// Never destroyed: the worker waits on its condition variables when the process ends.
WorkQueue& work_queue() {
  static WorkQueue& queue = *new WorkQueue;
  return queue;
}

WorkQueue::Ticket WorkQueue::submit(std::function<void()> work) {
  std::lock_guard<std::mutex> guard(mutex_);
  if (!started_) {
    started_ = true;
    std::thread([this] { run(); }).detach();
  }
  waiting_.push_back(std::move(work));
  if (!fact(Fact::LAZY)) demanded_ = submitted_ + 1;
  more_.notify_one();
  return ++submitted_;
}

void WorkQueue::run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    more_.wait(lock, [this] { return !waiting_.empty() && completed_ < demanded_; });
    const std::function<void()> work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    lock.lock();
    completed_++;
    less_.notify_all();
  }
}

void WorkQueue::wait(Ticket ticket) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (ticket > demanded_) {
    demanded_ = ticket;
    more_.notify_one();
  }
  less_.wait(lock, [&] { return completed_ >= ticket; });
}

void WorkQueue::wait_for_all() { wait(last()); }

bool WorkQueue::is_done(Ticket ticket) {
  std::lock_guard<std::mutex> guard(mutex_);
  if (ticket > demanded_) {  // whoever asks wants to see it done some day
    demanded_ = ticket;
    more_.notify_one();
  }
  return completed_ >= ticket;
}

WorkQueue::Ticket WorkQueue::last() {
  std::lock_guard<std::mutex> guard(mutex_);
  return submitted_;
}

}  // namespace emulator
