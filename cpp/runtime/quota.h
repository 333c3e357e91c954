// CPUs and memory that this process may use: affinity, control groups, the machine.
#pragma once

#include <string>

namespace conv2d {

// CPUs' worth of time per period that the groups of this process and their parents allow, rounded up; 0: no
// limit. `memberships` is the text of /proc/self/cgroup, `root` where the groups are mounted
// (/sys/fs/cgroup). Version 1 (cpu.cfs_quota_us) and 2 (cpu.max).
int quota_cpus(const std::string& memberships, const std::string& root);
// Bytes, likewise (memory.limit_in_bytes, memory.max).
double quota_memory(const std::string& memberships, const std::string& root);

// min(affinity, quota), at least 1.
int available_cpus();

// Bytes that the machine has or the control group allows, in use or not.
double available_memory();

}  // namespace conv2d
