// The only file that says OpenMP. Import starts no thread: the team is made by the first parallel region of
// each calling thread. OpenMP's runtime is guarded where it is careless of its process:
// - it hangs where a thread that led a region before fork() leads one in the child: a fresh thread leads it;
// - it ends the process where a thread cannot be had: threads are tried before a team grows, and a region
//   makes do with those that were granted.
#include "runtime/parallel.h"

#include <atomic>
#include <cstdlib>
#include <exception>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>

#include "runtime/quota.h"

#if defined(__unix__)
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif
#if defined(_OPENMP)
#include <omp.h>
#endif

namespace conv2d {

namespace {

// The CPUs that the workers of one region run on.
class Placement {
 public:
  // A thread that is woken often starts on the CPU of the one that wakes it, and then takes turns with it
  // while another CPU idles. A worker that finds its CPU taken moves to a free one of those that it may use.
  void spread() {
#if defined(__linux__)
    const int here = sched_getcpu();
    if (here < 0 || here >= kCpus || take(here)) return;
    cpu_set_t allowed, free;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
    free = allowed;
    for (int cpu = 0; cpu < kCpus; ++cpu)
      if (taken_[cpu / 64].load(std::memory_order_relaxed) >> (cpu % 64) & 1) CPU_CLR(cpu, &free);
    if (CPU_COUNT(&free) == 0 || sched_setaffinity(0, sizeof(free), &free) != 0) return;
    take(sched_getcpu());
    sched_setaffinity(0, sizeof(allowed), &allowed);
#endif
  }

 private:
  static constexpr int kCpus = 1024;
  std::atomic<uint64_t> taken_[kCpus / 64] = {};

  bool take(int cpu) {
    const uint64_t bit = uint64_t{1} << (cpu % 64);
    return cpu >= 0 && cpu < kCpus && (taken_[cpu / 64].fetch_or(bit, std::memory_order_relaxed) & bit) == 0;
  }
};

int allowed_threads() { return std::min(available_cpus(), kMaxWorkers); }

// OMP_NUM_THREADS as OpenMP reads it: a list of positive numbers, of which the first counts. 0: not such a
// list.
int64_t threads_from_environment() {
  const char* text = std::getenv("OMP_NUM_THREADS");
  if (text == nullptr) return 0;
  char* end = nullptr;
  const int64_t wanted = std::strtoll(text, &end, 10);
  while (*end == ' ') ++end;
  return wanted >= 1 && (*end == '\0' || *end == ',') ? wanted : 0;
}

std::atomic<int> threads_setting{0};  // 0: not known yet

// Constant-initialised: no child is born amid the initialisation of a static.
std::mutex the_core_mutex;

#if defined(_OPENMP)
thread_local int team_size = 1;  // of the last region that this thread led: its members wait for the next one
thread_local bool stale_team = false;  // they are threads of the parent process

// The stack that OpenMP gives its threads, 0 for the system's default.
size_t stack_bytes() {
  const char* text = std::getenv("OMP_STACKSIZE");
  if (text == nullptr) text = std::getenv("GOMP_STACKSIZE");
  if (text == nullptr) return 0;
  char* unit = nullptr;
  const unsigned long long number = std::strtoull(text, &unit, 10);
  while (*unit == ' ') ++unit;
  const int shift = *unit == 'B' || *unit == 'b'   ? 0
                    : *unit == 'M' || *unit == 'm' ? 20
                    : *unit == 'G' || *unit == 'g' ? 30
                                                   : 10;
  return number > (SIZE_MAX >> shift) ? SIZE_MAX : static_cast<size_t>(number << shift);
}

// How many of `wanted` more threads the system grants. Twice as many are tried at once, because a thread that
// has ended counts against limits for a moment longer.
int granted_threads(int wanted) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return 0;
  if (const size_t bytes = stack_bytes()) pthread_attr_setstacksize(&attributes, bytes);
  pthread_t made[2 * kMaxWorkers];
  int count = 0;
  std::mutex gate;
  {
    const std::lock_guard<std::mutex> closed(gate);
    const auto pass = [](void* at) -> void* {
      const std::lock_guard<std::mutex> through(*static_cast<std::mutex*>(at));
      return nullptr;
    };
    while (count < 2 * wanted && pthread_create(&made[count], &attributes, pass, &gate) == 0) ++count;
  }
  for (int i = 0; i < count; ++i) pthread_join(made[i], nullptr);
  pthread_attr_destroy(&attributes);
  return count / 2;
}

void run_team(int threads, void (*body)(const void*, const Worker&), const void* context) {
  if (threads > team_size) threads = team_size + granted_threads(threads - team_size);
  if (threads == 1) return body(context, Worker(0, 1));
  team_size = threads;
  std::exception_ptr error;
  std::mutex error_mutex;
  Sharing sharing(threads);
  Placement placement;
  placement.spread();
#pragma omp parallel num_threads(threads)
  {
    try {
      if (omp_get_thread_num() > 0) placement.spread();
      body(context, Worker(omp_get_thread_num(), omp_get_num_threads(), &sharing));
    } catch (...) {
      const std::lock_guard<std::mutex> lock(error_mutex);
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

// In the child of a fork, where this thread led a region in the parent.
void run_led_by_fresh_thread(int threads, void (*body)(const void*, const Worker&), const void* context) {
  std::future<void> led;
  try {
    led = std::async(std::launch::async, run_team, threads, body, context);
  } catch (const std::system_error&) {
    return body(context, Worker(0, 1));
  }
  led.get();
}
#endif

#if defined(__unix__)
// Runs when the module is loaded.
const int fork_guard = pthread_atfork([] { the_core_mutex.lock(); }, [] { the_core_mutex.unlock(); },
                                      [] {
                                        the_core_mutex.unlock();
#if defined(_OPENMP)
                                        stale_team = stale_team || team_size > 1;
#endif
                                      });
#endif

}  // namespace

std::mutex& core_mutex() { return the_core_mutex; }

void parallel_run(int threads, void (*body)(const void*, const Worker&), const void* context) {
#if defined(_OPENMP)
  if (threads > 1 && !omp_in_parallel())
    return stale_team ? run_led_by_fresh_thread(threads, body, context) : run_team(threads, body, context);
#endif
  body(context, Worker(0, 1));
}

int num_threads() {
  int threads = threads_setting.load(std::memory_order_relaxed);
  if (threads == 0) {
    threads = allowed_threads();
    if (const int64_t wanted = threads_from_environment())
      threads = static_cast<int>(std::min<int64_t>(threads, wanted));
    int unknown = 0;
    if (!threads_setting.compare_exchange_strong(unknown, threads)) threads = unknown;
  }
  return threads;
}

int set_num_threads(int64_t wanted, bool beyond_cpus) {
  if (wanted < 1) {
    throw std::invalid_argument("`n` must be a positive integer. Received: n=" + std::to_string(wanted) +
                                ".");
  }
  const int threads =
      static_cast<int>(std::min<int64_t>(wanted, beyond_cpus ? kMaxWorkers : allowed_threads()));
  threads_setting.store(threads, std::memory_order_relaxed);
  return threads;
}

bool has_openmp() {
#if defined(_OPENMP)
  return true;
#else
  return false;
#endif
}

}  // namespace conv2d
