// SPDX-License-Identifier: Apache-2.0
// Runs a command under a process id of one's choice, if it is free. Usage: clone_pid PID COMMAND ARG…
#define _GNU_SOURCE
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  pid_t wanted = atoi(argv[1]);
  struct clone_args a = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&wanted, .set_tid_size = 1};
  long child = syscall(SYS_clone3, &a, sizeof(a));
  if (child < 0) return perror("clone_pid"), 1;
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    execv(argv[2], argv + 2);
    _exit(127);
  }
  int status = 0;
  waitpid((pid_t)child, &status, 0);
  return WEXITSTATUS(status);
}
