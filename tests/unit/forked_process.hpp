// Runs a piece of a test in a process of its own.
#pragma once

#include <dupq/core/platform.hpp>
#include <initializer_list>

#if defined(DUPQ_POSIX)
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dupq_test {

/// What in_child() returns (0..255) in a process forked off; minus the signal that ended it, SIGALRM after 20 seconds.
template <class F>
int in_forked_process(F&& in_child) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    for (const int signal : {SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS})
      ::signal(signal, SIG_DFL);  // doctest reports them
    ::alarm(20);
    ::_exit(in_child());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace dupq_test
#endif
