// A writer of an index that is killed, or whose disk is full, at each of its calls that change something on the disk:
// what is there afterwards is the index before the change or after it, and the next writer leaves nothing behind.
//
// The calls of the operating system are defined here, so that the library's come this way.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <dupq/index.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "support/made_up_index.hpp"
#include "unit/temporary_folder.hpp"

namespace {

enum class fate { none, killed, killed_halfway, disk_full };

struct {
  fate what = fate::none;
  int left = 0;           ///< calls that go well before
  int seen = 0;           ///< calls
  int unsynced = 0;       ///< writes that are not known to be on the disk
  bool careless = false;  ///< something took its name with such writes
} plan;

/// Whether the call that asks is the one that fails; a process that is killed does not return.
bool fails_now() {
  ++plan.seen;
  if (plan.what == fate::none || plan.left-- > 0) return false;
  if (plan.what == fate::disk_full) {
    plan.left = 0;  // it stays full
    return true;
  }
  return plan.left == -1;
}
void die() { ::syscall(SYS_exit_group, 42); }

template <class... Arguments>
int change(long number, Arguments... arguments) {
  if (fails_now()) {
    if (plan.what != fate::disk_full) die();
    return errno = ENOSPC, -1;
  }
  return static_cast<int>(::syscall(number, arguments...));
}

}  // namespace

extern "C" {
ssize_t write(int file, const void* bytes, size_t size) {
  if (file <= 2) return ::syscall(SYS_write, file, bytes, size);
  const bool now = fails_now();
  if (now && plan.what == fate::killed) die();
  ++plan.unsynced;
  if (!now) return ::syscall(SYS_write, file, bytes, size);
  const long half = ::syscall(SYS_write, file, bytes, size / 2);
  if (plan.what == fate::killed_halfway) die();
  if (half > 0) return half;
  return errno = ENOSPC, -1;
}
int fsync(int file) {
  (void)file;  // the system does not crash, only the program
  if (fails_now()) {
    if (plan.what != fate::disk_full) die();
    return errno = EIO, -1;
  }
  plan.unsynced = 0;
  return 0;
}
int rename(const char* from, const char* to) noexcept {
  plan.careless = plan.careless || plan.unsynced != 0;
  return change(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}
int mkdir(const char* path, mode_t mode) noexcept { return change(SYS_mkdirat, AT_FDCWD, path, mode); }
int unlink(const char* path) noexcept {
  if (plan.what == fate::disk_full) return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
  return change(SYS_unlinkat, AT_FDCWD, path, 0);
}
}

namespace {

using entries = std::vector<made_up::entry>;
using change_of_index = std::function<bool(const std::string& folder)>;

/// What the folder holds; nothing but a missing manifest may be wrong with it.
std::optional<entries> contents(const std::string& folder) {
  const auto index = dupq::index_reader::open(folder);
  if (index) return made_up::contents(*index);
  REQUIRE_MESSAGE(index.error().code == dupq::errc::no_such_file, index.error().message());
  return std::nullopt;
}

bool same(const std::optional<entries>& a, const std::optional<entries>& b) {
  return a.has_value() == b.has_value() && (!a || made_up::same(*a, *b));
}

bool commits(dupq::result<dupq::index_writer> w, const std::function<bool(dupq::index_writer&)>& use) {
  return w && use(*w) && w->commit();
}

/// Files that no index of so many segments has.
bool tidy(const std::string& folder) {
  const auto index = dupq::index_reader::open(folder);
  std::size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) files += file.is_regular_file();
  return index && files == index->segment_count() + 2;
}

void check(const change_of_index& prepare, const change_of_index& apply) {
  for (const fate what : {fate::killed, fate::killed_halfway, fate::disk_full}) {
    bool old_seen = false, new_seen = false;
    for (int n = 0;; ++n) {
      REQUIRE(n < 500);
      const temporary_folder temporary;
      const std::string folder = temporary.file("i"), other = temporary.file("other");
      plan = {};
      REQUIRE((prepare(folder) && prepare(other)));
      const auto before = contents(folder);
      REQUIRE(apply(other));
      const auto after = contents(other);
      REQUIRE(!plan.careless);
      REQUIRE(!same(before, after));

      bool done = false;
      if (what == fate::disk_full) {
        plan = {.what = what, .left = n};
        done = apply(folder);
      } else if (const pid_t child = ::fork(); child == 0) {
        plan = {.what = what, .left = n};
        (void)apply(folder);
        ::_exit(0);
      } else {
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFEXITED(status));
        done = WEXITSTATUS(status) == 0;
      }
      plan = {};
      const auto now = contents(folder);
      CAPTURE(n);
      CAPTURE(static_cast<int>(what));
      REQUIRE((same(now, before) || same(now, after)));
      if (done) REQUIRE(same(now, after));
      old_seen = old_seen || same(now, before);
      new_seen = new_seen || (!done && same(now, after));
      // The next writer finds its way.
      if (same(now, after))
        REQUIRE(commits(dupq::index_writer::open(folder), [](auto&) { return true; }));
      else
        REQUIRE(apply(folder));
      REQUIRE(same(contents(folder), after));
      REQUIRE(tidy(folder));
      if (done) break;
    }
    REQUIRE(old_seen);
    if (what != fate::disk_full) REQUIRE(new_seen);  // between the new manifest and the end
  }
}

bool nothing(const std::string&) { return true; }

bool create(const std::string& folder) {
  return commits(dupq::index_writer::create(folder, made_up::model()),
                 [](dupq::index_writer& w) { return made_up::add(w, made_up::entries(0, 70)).has_value(); });
}
bool two_segments(const std::string& folder) {
  return create(folder) && commits(dupq::index_writer::open(folder), [](dupq::index_writer& w) {
           return made_up::add(w, made_up::entries(70, 10)) && w.remove({"id3"});
         });
}

}  // namespace

TEST_CASE("a new index") { check(nothing, create); }

TEST_CASE("adding") {
  check(create, [](const std::string& folder) {
    return commits(dupq::index_writer::open(folder), [](dupq::index_writer& w) {
      return made_up::add(w, made_up::entries(70, 20)) && made_up::add(w, made_up::entries(90, 5));
    });
  });
}

TEST_CASE("removing") {
  check(two_segments, [](const std::string& folder) {
    return commits(dupq::index_writer::open(folder), [](dupq::index_writer& w) {
      return w.remove({"id7", "id71"}).has_value();
    });
  });
}

TEST_CASE("compacting") {
  check(two_segments, [](const std::string& folder) {
    return commits(dupq::index_writer::open(folder),
                   [](dupq::index_writer& w) { return w.remove({"id9"}) && w.compact(); });
  });
}

TEST_CASE("all at once") {
  check(two_segments, [](const std::string& folder) {
    return commits(dupq::index_writer::open(folder), [](dupq::index_writer& w) {
      return made_up::add(w, made_up::entries(80, 5)) && w.compact() && w.remove({"id81"}) &&
             made_up::add(w, made_up::entries(85, 5));
    });
  });
}
