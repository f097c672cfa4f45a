// A9: socket, connect and send without making those system calls, through io_uring.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ring;
static struct io_uring_params parameters;
static char *submission, *completion;
static struct io_uring_sqe* entries;

static unsigned* at(char* base, unsigned offset) {
  return (unsigned*)(base + offset);
}

// Submits one entry and waits for its result.
static int run(struct io_uring_sqe entry) {
  unsigned* tail = at(submission, parameters.sq_off.tail);
  const unsigned index = *tail & *at(submission, parameters.sq_off.ring_mask);
  entries[index] = entry;
  at(submission, parameters.sq_off.array)[index] = index;
  __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
  if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) return -1;
  unsigned* head = at(completion, parameters.cq_off.head);
  const unsigned slot = *head & *at(completion, parameters.cq_off.ring_mask);
  const int result = ((struct io_uring_cqe*)(completion + parameters.cq_off.cqes))[slot].res;
  __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
  return result;
}

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[2]))};
  inet_pton(AF_INET, argv[1], &to.sin_addr);
  ring = (int)syscall(SYS_io_uring_setup, 8, &parameters);
  if (ring < 0) {
    perror("io_uring_setup");
    return 1;
  }
  submission = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
  completion = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
  if (completion == MAP_FAILED) completion = submission;
  entries = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
  if (submission == MAP_FAILED || entries == MAP_FAILED) return 1;

  const int fd = run((struct io_uring_sqe){
      .opcode = 45 /* IORING_OP_SOCKET */, .fd = AF_INET, .off = SOCK_STREAM});
  if (fd < 0) return 1;
  if (run((struct io_uring_sqe){.opcode = IORING_OP_CONNECT,
                                .fd = fd,
                                .addr = (uint64_t)(uintptr_t)&to,
                                .off = sizeof to}) < 0) {
    return 1;
  }
  run((struct io_uring_sqe){.opcode = IORING_OP_SEND,
                            .fd = fd,
                            .addr = (uint64_t)(uintptr_t)argv[3],
                            .len = (unsigned)strlen(argv[3])});
  return 0;
}
