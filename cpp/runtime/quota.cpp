// Linux, "Control Group v2", "CPU Interface Files" and "Memory Interface Files", and their counterparts of
// version 1. Inside a container the path of a group may be the host's and not exist here: its parents count,
// up to the root.
#include "runtime/quota.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#include <unistd.h>
#endif

namespace conv2d {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The least positive limit(folder, version) of every place where a group of this process that governs
// `controller`, or a parent of one, may be mounted; 0: there is none. A line is "4:cpu,cpuacct:/path",
// version 2 is "0::/path".
double least_limit(const std::string& controller, const std::string& memberships, const std::string& root,
                   double (*limit)(const std::string& folder, int version)) {
  double least = 0.0;
  std::istringstream lines(memberships);
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    if (!names.empty() && (',' + names + ',').find(',' + controller + ',') == std::string::npos) continue;
    std::string path = line.substr(second + 1);
    while (true) {
      for (const std::string& mount :
           {root, root + (names.empty() ? "/unified" : '/' + controller), root + '/' + names}) {
        const double value = limit(mount + path + '/', names.empty() ? 2 : 1);
        if (value > 0.0) least = least == 0.0 ? value : std::min(least, value);
      }
      if (path.empty() || path == "/") break;
      path.resize(std::min(path.find_last_of('/'), path.size()));
      if (path.find('/') == std::string::npos) path.clear();
    }
  }
  return least;
}

double cpu_limit(const std::string& folder, int version) {
  std::istringstream words(version == 2 ? text_of(folder + "cpu.max")  // "max 100000" or "50000 100000"
                                        : text_of(folder + "cpu.cfs_quota_us") + ' ' +
                                              text_of(folder + "cpu.cfs_period_us"));
  double quota = 0.0, period = 0.0;
  if (!(words >> quota >> period) || quota <= 0.0 || period <= 0.0) return 0.0;
  return std::min(1e6, std::max(1.0, quota / period));
}

double memory_limit(const std::string& folder, int version) {
  std::istringstream words(text_of(folder + (version == 2 ? "memory.max" : "memory.limit_in_bytes")));
  double bytes = 0.0;
  words >> bytes;
  return bytes;
}

}  // namespace

int quota_cpus(const std::string& memberships, const std::string& root) {
  return static_cast<int>(least_limit("cpu", memberships, root, cpu_limit) + 0.999);
}

double quota_memory(const std::string& memberships, const std::string& root) {
  return least_limit("memory", memberships, root, memory_limit);
}

int available_cpus() {
  int cpus = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cpus = CPU_COUNT(&set);
  const int quota = quota_cpus(text_of("/proc/self/cgroup"), "/sys/fs/cgroup");
  if (quota > 0) cpus = std::min(cpus, quota);
#endif
  return std::max(1, cpus);
}

double available_memory() {
#if defined(__linux__)
  const double machine =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  const double group = quota_memory(text_of("/proc/self/cgroup"), "/sys/fs/cgroup");
  return group > 0.0 ? std::min(machine, group) : machine;
#else
  return 1e18;
#endif
}

}  // namespace conv2d
