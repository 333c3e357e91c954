// Test build (CONV2D_FAULTS): the k-th allocation of the native module fails on demand, and what lives is
// counted. Linked into the module with libstdc++ inside and posix_memalign and free wrapped, so that the
// module's allocations, and nobody else's, pass here. Called from tests/test_faults_allocation.py through
// ctypes.
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <new>

namespace {

constexpr int kMaxBuffers = 1 << 14;
std::atomic<long> countdown{0};  // 0: nothing fails
std::atomic<long> failures{0}, live{0};
std::mutex buffers_mutex;
void* buffers[kMaxBuffers];
int buffer_count = 0;

bool fails() {
  if (countdown.load() == 0 || countdown.fetch_sub(1) != 1) return false;
  failures.fetch_add(1);
  return true;
}

void* allocate(size_t bytes) {
  void* memory = fails() ? nullptr : std::malloc(bytes != 0 ? bytes : 1);
  if (memory == nullptr) throw std::bad_alloc();
  live.fetch_add(1);
  return memory;
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) void conv2d_fail_allocation(long k) {
  if (k > 0) failures.store(0);
  countdown.store(k);
}
__attribute__((visibility("default"))) long conv2d_failures() { return failures.load(); }
__attribute__((visibility("default"))) long conv2d_live_allocations() { return live.load(); }

int __real_posix_memalign(void** memory, size_t alignment, size_t bytes);
void __real_free(void* memory);

int __wrap_posix_memalign(void** memory, size_t alignment, size_t bytes) {
  if (fails()) return 12;
  const int error = __real_posix_memalign(memory, alignment, bytes);
  if (error != 0) return error;
  live.fetch_add(1);
  const std::lock_guard<std::mutex> lock(buffers_mutex);
  if (buffer_count < kMaxBuffers) buffers[buffer_count++] = *memory;
  return 0;
}

void __wrap_free(void* memory) {
  {
    const std::lock_guard<std::mutex> lock(buffers_mutex);
    for (int i = buffer_count; i-- > 0;) {
      if (buffers[i] != memory) continue;
      buffers[i] = buffers[--buffer_count];
      live.fetch_sub(1);
      break;
    }
  }
  __real_free(memory);
}

}  // extern "C"

void* operator new(size_t bytes) { return allocate(bytes); }
void* operator new[](size_t bytes) { return allocate(bytes); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  void* memory = fails() ? nullptr : std::malloc(bytes != 0 ? bytes : 1);
  if (memory != nullptr) live.fetch_add(1);
  return memory;
}
void* operator new[](size_t bytes, const std::nothrow_t& nothrow) noexcept {
  return operator new(bytes, nothrow);
}
void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  live.fetch_sub(1);
  __real_free(memory);
}
void operator delete[](void* memory) noexcept { operator delete(memory); }
void operator delete(void* memory, size_t) noexcept { operator delete(memory); }
void operator delete[](void* memory, size_t) noexcept { operator delete(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { operator delete(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { operator delete(memory); }
