#include "grid.h"

#include <csetjmp>
#include <csignal>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <random>
#include <thread>

#include "async_copy.h"
#include "checker.h"
#include "device_memory.h"
#include "facts.h"
#include "fiber.h"
#include "profiler.h"
#include "reports.h"

namespace emulator {

std::atomic<int> device_error{SUCCESS};

namespace {

constexpr size_t MOST_DYNAMIC_SHARED = 256 * 1024;

// How a kernel is left in the middle: by a signal, or by abort_kernel.
enum Exit { BEGIN, BY_SIGNAL, BY_ABORT };
sigjmp_buf exit_point;
volatile bool in_kernel = false;
volatile uintptr_t fault_address;
std::thread::id worker;
struct sigaction previous_handler;

void on_segmentation_fault(int signal_number, siginfo_t* info, void* context) {
  if (in_kernel && std::this_thread::get_id() == worker) {
    fault_address = (uintptr_t)info->si_addr;
    siglongjmp(exit_point, BY_SIGNAL);
  }
  if (previous_handler.sa_flags & SA_SIGINFO) {  // a JVM has one, for faults of its own
    previous_handler.sa_sigaction(signal_number, info, context);
  } else if (previous_handler.sa_handler != SIG_DFL && previous_handler.sa_handler != SIG_IGN) {
    // LLVM's, where OpenCL is on the machine: it puts back what was there before it, and the instruction is tried again.
    previous_handler.sa_handler(signal_number);
  } else {
    signal(signal_number, SIG_DFL);
    raise(signal_number);
  }
}

void install_handler() {
  struct sigaction ours {}, now {};
  ours.sa_sigaction = on_segmentation_fault;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(SIGSEGV, nullptr, &now);
  if (now.sa_sigaction != on_segmentation_fault) {
    previous_handler = now;
    sigaction(SIGSEGV, &ours, nullptr);
  }
  // The fault may be an overflow of the stack itself.
  static thread_local char* stack = nullptr;
  if (!stack) {
    stack = new char[64 * 1024];
    stack_t alternate{};
    alternate.ss_sp = stack;
    alternate.ss_size = 64 * 1024;
    sigaltstack(&alternate, nullptr);
  }
  worker = std::this_thread::get_id();
}

// Dynamic shared memory ends, but for its alignment, where a page begins that faults.
void place_dynamic_shared(size_t bytes) {
  static char* region = nullptr;
  if (!region) {
    region = (char*)mmap(nullptr, MOST_DYNAMIC_SHARED + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(region + MOST_DYNAMIC_SHARED, PAGE, PROT_NONE);
  }
  // Real shared memory begins at a multiple of 128 bytes or more: kernels rely on it.
  block.dynamic_begin = region + MOST_DYNAMIC_SHARED - (bytes + 127) / 128 * 128;
  block.dynamic_end = block.dynamic_begin + bytes;
  emulated_thread.dynamic_shared = block.dynamic_begin;
}

// In which order blocks and warps run: a race, or a dependence between blocks, shows as a result that depends on it.
class Order {
 public:
  enum { FORWARD, BACKWARD };

  explicit Order(uint64_t blocks) : kind_(fact(Fact::ORDER)), blocks_(blocks), random_((unsigned)kind_ + 1) {
    std::iota(std::begin(warps_), std::end(warps_), 0);
    if (kind_ == BACKWARD) std::reverse(std::begin(warps_), std::end(warps_));
    if (shuffled() && blocks <= MOST_SHUFFLED) {
      permutation_.resize(blocks);
      std::iota(permutation_.begin(), permutation_.end(), 0);
      std::shuffle(permutation_.begin(), permutation_.end(), random_);
    }
  }

  uint64_t block_number(uint64_t turn) const {
    if (kind_ == BACKWARD) return blocks_ - 1 - turn;
    return permutation_.empty() ? turn : permutation_[turn];
  }

  const int (&warps_of_next_block())[MOST_WARPS] {
    if (shuffled()) std::shuffle(std::begin(warps_), std::end(warps_), random_);
    block.backward = shuffled() ? (random_() & 64) != 0 : kind_ == BACKWARD;
    return warps_;
  }

 private:
  static constexpr uint64_t MOST_SHUFFLED = 1 << 20;
  bool shuffled() const { return kind_ != FORWARD && kind_ != BACKWARD; }

  long kind_;
  uint64_t blocks_;
  std::minstd_rand random_;  // cheap to seed, since every launch does
  std::vector<uint64_t> permutation_;
  int warps_[MOST_WARPS];
};

void run_blocks(const Launch& launch, Order& order) {
  const uint64_t most = (uint64_t)fact(Fact::BLOCKS), all = launch.grid.volume();
  const uint64_t blocks = most ? std::min(most, all) : all;
  const Kernel& kernel = *launch.kernel;
  for (uint64_t turn = 0; turn < blocks; turn++) {
    const uint64_t number = order.block_number(turn);
    block.number = (uint32_t)number;
    emulated_thread.block = {(unsigned)(number % launch.grid.x), (unsigned)(number / launch.grid.x % launch.grid.y),
                             (unsigned)(number / launch.grid.x / launch.grid.y)};
    memset(kernel.shared_begin, 0xFF, kernel.static_shared());  // NaN
    memset(block.dynamic_begin, 0xFF, (size_t)(block.dynamic_end - block.dynamic_begin));
    begin_checked_block();
    run_block(order.warps_of_next_block());
  }
}

void report_signal(const Launch& launch) {
  const Fiber& fiber = block.fiber();
  const uintptr_t address = fault_address, stack = (uintptr_t)fiber.stack, shared_end = (uintptr_t)block.dynamic_end;
  char near[128];
  device_memory().describe(address, near, sizeof near);
  if (address >= shared_end && address < shared_end + 2 * PAGE)
    snprintf(near, sizeof near, ", past the end of dynamic shared memory");
  if (address >= stack && address < stack + PAGE)
    snprintf(near, sizeof near, ", below the stack of the emulated thread");
  const Dim3 &in = emulated_thread.block, &thread = fiber.thread;
  report("illegal access at %p in %s, block (%u,%u,%u) thread (%u,%u,%u)%s", (void*)address,
         launch.kernel->name.c_str(), in.x, in.y, in.z, thread.x, thread.y, thread.z, near);
  device_error = ILLEGAL_ADDRESS;
}

void print_time(const Launch& launch, std::chrono::steady_clock::time_point begin) {
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  fprintf(stderr, "[cuda-emulator] %s (%u,%u,%u) x (%u,%u,%u), %zu bytes: %.3f ms\n", launch.kernel->name.c_str(),
          launch.grid.x, launch.grid.y, launch.grid.z, launch.block.x, launch.block.y, launch.block.z,
          launch.dynamic_shared, ms);
}

}  // namespace

void fail_device(int error) { device_error = error; }

void abort_kernel(int error) {
  device_error = error;
  siglongjmp(exit_point, BY_ABORT);
}

void run_launch(const Launch& launch) {
  const auto begin = std::chrono::steady_clock::now();
  install_handler();
  std::vector<void*> arguments;
  for (const std::vector<char>& argument : launch.arguments) arguments.push_back((void*)argument.data());
  prepare_block(launch.block);
  block.kernel = launch.kernel;
  block.arguments = arguments.data();
  block.launch++;
  emulated_thread.block_size = launch.block;
  emulated_thread.grid_size = launch.grid;
  place_dynamic_shared(launch.dynamic_shared);
  begin_launch_copies();
  begin_checked_launch();
  profile_launch(launch.kernel->name);
  Order order(launch.grid.volume());

  const int left = sigsetjmp(exit_point, 1);
  if (left == BEGIN) {
    in_kernel = true;
    run_blocks(launch, order);
    in_kernel = false;
  } else {
    in_kernel = false;
    reset_fibers();
    if (left == BY_SIGNAL) report_signal(launch);
  }
  // Elsewhere this is looked at when memory is given back.
  if (checking() && device_memory().overwritten()) device_error = ILLEGAL_ADDRESS;
  if (fact(Fact::VERBOSE)) print_time(launch, begin);
  block.kernel = nullptr;
}

}  // namespace emulator
