// SPDX-License-Identifier: Apache-2.0
/* Many processes that have one TLS library mapped and do nothing. Usage: tls_sleepers COUNT LIBRARY [wait: forks at the first line of
 * stdin] */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 0;
  char line[8];

  if (count < 1 || count > 5000 || argc < 3 || !dlopen(argv[2], RTLD_NOW)) {
    fprintf(stderr, "usage: tls_sleepers COUNT LIBRARY [wait]\n");
    return 2;
  }
  if (argc > 3) {
    puts("waiting");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) return 1;
  }
  for (int i = 0; i < count; i++) {
    const pid_t pid = fork();
    if (pid < 0) {
      perror("fork");
      return 1;
    }
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (;;) pause();
    }
  }
  puts("started");
  fflush(stdout);
  for (;;) pause();
}
