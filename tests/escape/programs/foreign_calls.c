// A1, A3, A4: the 32-bit system call table, entered by int $0x80 (socket, connect and write go by
// socketcall and by their own numbers), and the x32 numbers.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
int main(void) {
  return write(1, "ABSENT\n", 7) == 7 ? 0 : 1;
}
#else

static long call32(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(number), "b"(a), "c"(b), "d"(c)
                   : "memory", "r8", "r9", "r10", "r11");
  return (int)result;
}

// Pointers must fit into 32 bits.
static char* low;

static void by_int80(const struct sockaddr_in* to, const char* token, int multiplexed) {
  struct sockaddr_in* address = (struct sockaddr_in*)low;
  uint32_t* list = (uint32_t*)(low + 64);
  char* data = low + 128;
  *address = *to;
  strcpy(data, token);
  long fd;
  if (multiplexed) {
    list[0] = AF_INET, list[1] = SOCK_STREAM, list[2] = 0;
    fd = call32(102, 1, (long)(uintptr_t)list, 0);
    list[0] = (uint32_t)fd, list[1] = (uint32_t)(uintptr_t)address, list[2] = sizeof *address;
    if (fd < 0 || call32(102, 3, (long)(uintptr_t)list, 0) < 0) return;
  } else {
    fd = call32(359, AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || call32(362, fd, (long)(uintptr_t)address, sizeof *address) < 0) return;
  }
  call32(4, fd, (long)(uintptr_t)data, (long)strlen(data));
}

static void by_x32(const struct sockaddr_in* to, const char* token) {
  const long bit = 0x40000000;
  const long fd = syscall(bit | SYS_socket, AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || syscall(bit | SYS_connect, fd, to, sizeof *to) < 0) return;
  syscall(bit | SYS_write, fd, token, strlen(token));
}

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[2]))};
  inet_pton(AF_INET, argv[1], &to.sin_addr);
  // Each in a process of its own: the kernel's answer may be to kill.
  for (int way = 0; way < 3; ++way) {
    pid_t child = fork();
    if (child == 0) {
      if (way < 2) {
        by_int80(&to, argv[3], way);
      } else {
        by_x32(&to, argv[3]);
      }
      _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
  }
  return 0;
}
#endif
