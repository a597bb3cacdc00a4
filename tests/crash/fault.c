// SPDX-License-Identifier: Apache-2.0
/* Preloaded into a program (LD_PRELOAD), this lets one of its writes, fsyncs or renames go wrong.
 *
 * MLGRAPH_FAULT is `CALL:N:HOW`: the N-th call, counted from 1, of `write`, `fsync`, `rename` or `any` of them. HOW is
 * `before` or `after` (killed by SIGKILL before or after the call), `ENOSPC`, `EIO`, or `short` (half of the bytes are
 * written). Writes to the standard streams and to anything that is no file do not count. Without the variable the calls
 * are counted: MLGRAPH_FAULT_COUNT names a file that gets their number when the program ends.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static long num_calls[3];

/* Whether this call is the one; `how` is then what to do. */
static int is_chosen(int kind, const char** how) {
  static const char* const names[] = {"write", "fsync", "rename"};
  ++num_calls[kind];
  const char* const fault = getenv("MLGRAPH_FAULT");
  if (fault == NULL) return 0;
  const char* const number = strchr(fault, ':');
  *how = strchr(number + 1, ':') + 1;
  const long wanted = atol(number + 1);
  if (strncmp(fault, "any:", 4) == 0) return num_calls[0] + num_calls[1] + num_calls[2] == wanted;
  return strncmp(fault, names[kind], strlen(names[kind])) == 0 && num_calls[kind] == wanted;
}

static int fails(const char* how) {
  if (strcmp(how, "before") == 0) kill(getpid(), SIGKILL);
  errno = strcmp(how, "ENOSPC") == 0 ? ENOSPC : strcmp(how, "EIO") == 0 ? EIO : 0;
  return errno != 0;
}

static void after(const char* how) {
  if (strcmp(how, "after") == 0) kill(getpid(), SIGKILL);
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  ssize_t (*const real)(int, const void*, size_t) = (ssize_t(*)(int, const void*, size_t))dlsym(RTLD_NEXT, "write");
  struct stat file;
  const char* how = "";
  if (descriptor <= 2 || fstat(descriptor, &file) != 0 || !S_ISREG(file.st_mode) || !is_chosen(0, &how))
    return real(descriptor, bytes, size);
  if (fails(how)) return -1;
  if (strcmp(how, "after") == 0) size /= 2; /* killed in the middle of it */
  if (strcmp(how, "short") == 0) size /= 2;
  const ssize_t done = real(descriptor, bytes, size);
  after(how);
  return done;
}

int fsync(int descriptor) {
  int (*const real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  const char* how = "";
  if (!is_chosen(1, &how)) return real(descriptor);
  if (fails(how)) return -1;
  const int result = real(descriptor);
  after(how);
  return result;
}

int rename(const char* from, const char* to) {
  int (*const real)(const char*, const char*) = (int (*)(const char*, const char*))dlsym(RTLD_NEXT, "rename");
  const char* how = "";
  if (!is_chosen(2, &how)) return real(from, to);
  if (fails(how)) return -1;
  const int result = real(from, to);
  after(how);
  return result;
}

__attribute__((destructor)) static void tell(void) {
  const char* const path = getenv("MLGRAPH_FAULT_COUNT");
  if (path == NULL) return;
  FILE* const file = fopen(path, "w");
  if (file == NULL) return;
  fprintf(file, "%ld %ld %ld\n", num_calls[0], num_calls[1], num_calls[2]);
  fclose(file);
}
