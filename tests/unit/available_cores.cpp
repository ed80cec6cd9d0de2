#include <doctest/doctest.h>

#include <cstddef>
#include <dupq/core/available_cores.hpp>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include "unit/temporary_folder.hpp"

namespace {

constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();
const std::string v2_mount = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const std::string v1_mount = "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

/// A machine's files, in a folder.
class machine {
 public:
  machine(const std::string& mounts, const std::string& groups) {
    write("/proc/self/mountinfo", "22 1 8:1 / / rw,relatime - ext4 /dev/root rw\n" + mounts + "40 22 0:5 /\n");
    write("/proc/self/cgroup", groups);
  }

  machine& write(const std::string& name, const std::string& content) {
    const std::filesystem::path file = folder_.file(name.substr(1));
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << content;
    return *this;
  }
  machine& v2(const std::string& group, const std::string& limit) {
    return write("/sys/fs/cgroup" + group + "/cpu.max", limit + '\n');
  }
  machine& v1(const std::string& group, const std::string& quota, const std::string& period) {
    const std::string folder = "/sys/fs/cgroup/cpu,cpuacct" + group;
    return write(folder + "/cpu.cfs_quota_us", quota + '\n').write(folder + "/cpu.cfs_period_us", period + '\n');
  }
  std::size_t cores() const { return dupq::control_group_cores(folder_.file("")); }

 private:
  temporary_folder folder_;
};

}  // namespace

TEST_CASE("no control groups, no quota") {
  CHECK(dupq::control_group_cores("/no such folder") == no_limit);
  CHECK(machine("", "").cores() == no_limit);
  CHECK(machine(v2_mount, "0::/a/b\n").cores() == no_limit);
  CHECK(machine(v2_mount, "0::/a/b\n").v2("/a", "max 100000").v2("/a/b", "max 100000").cores() == no_limit);
  CHECK(machine(v1_mount, "1:cpu:/\n").v1("", "-1", "100000").cores() == no_limit);
}

TEST_CASE("v2: the least quota of the group and those above it, rounded up") {
  const std::string own = "0::/user.slice/app.service\n";
  CHECK(machine(v2_mount, own).v2("/user.slice/app.service", "300000 100000").cores() == 3);
  CHECK(machine(v2_mount, own).v2("/user.slice/app.service", "300001 100000").cores() == 4);
  CHECK(machine(v2_mount, own).v2("/user.slice/app.service", "1000 100000").cores() == 1);
  CHECK(machine(v2_mount, own).v2("/user.slice", "50000 20000").cores() == 3);
  CHECK(machine(v2_mount, own).v2("", "200000 100000").cores() == 2);
  machine all(v2_mount, own);
  all.v2("", "700000 100000").v2("/user.slice", "500000 100000").v2("/user.slice/app.service", "600000 100000");
  CHECK(all.cores() == 5);
  CHECK(all.v2("/user.slice/other.service", "100000 100000").v2("/user", "100000 100000").cores() == 5);
  CHECK(machine(v2_mount, "0::/\n").v2("", "200000 100000").cores() == 2);
}

TEST_CASE("v1: the group of the cpu controller, not of another") {
  machine m(v1_mount,
            "12:memory:/other\n5:cpuset:/other\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/other\n0::/other\n");
  m.v1("/other", "100000", "100000").v1("", "-1", "100000");
  CHECK(m.cores() == no_limit);
  CHECK(m.v1("/docker/abc", "250000", "100000").cores() == 3);
  CHECK(m.v1("/docker", "100000", "50000").cores() == 2);
}

TEST_CASE("both at once, as systemd's hybrid layout has them") {
  const std::string unified = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
  machine m(v1_mount + unified, "1:cpu:/a\n0::/b\n");
  m.v1("/a", "400000", "100000");
  CHECK(m.cores() == 4);
  CHECK(m.write("/sys/fs/cgroup/unified/b/cpu.max", "300000 100000\n").cores() == 3);
}

TEST_CASE("a container sees its own group where the root would be") {
  const std::string mount = "31 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
  CHECK(machine(mount, "0::/docker/abc\n").v2("", "200000 100000").cores() == 2);
  CHECK(machine(mount, "0::/docker/abc/x\n").v2("", "400000 100000").v2("/x", "200000 100000").cores() == 2);
  // Groups outside of the mount cannot be seen; the nearest is the mount point.
  CHECK(machine(mount, "0::/docker/abcd\n").v2("", "200000 100000").v2("/d", "100000 100000").cores() == 2);
  CHECK(machine(v2_mount, "0::/../b\n").v2("", "200000 100000").cores() == 2);
}

TEST_CASE("broken files limit nothing") {
  for (const char* text : {"", "max", "100000", "-5 100000", "100000 0", "words and words"})
    CHECK(machine(v2_mount, "0::/\n").v2("", text).cores() == no_limit);
  CHECK(machine("\n - \n1 2 3\n31 23 0:28 / /sys/fs/cgroup rw - cgroup2\n", "nothing\n::\n").cores() == no_limit);
  const std::string long_mount = "31 23 0:28 / /" + std::string(5000, 'x') + " rw - overlay overlay rw\n";
  CHECK(machine(long_mount + v2_mount, "0::/\n").v2("", "200000 100000").cores() == 2);
}

TEST_CASE("cores that this process may use") {
  const std::size_t cores = dupq::available_cores();
  CHECK(cores >= 1);
  CHECK(cores <= dupq::control_group_cores());
#if defined(__linux__)
  cpu_set_t all, one;
  REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
  CHECK(cores <= static_cast<std::size_t>(CPU_COUNT(&all)));
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu)
    if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(dupq::available_cores() == 1);
  REQUIRE(sched_setaffinity(0, sizeof all, &all) == 0);
#endif
}
