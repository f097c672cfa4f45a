// F16: connects in a constructor, in a thread and in a child made there, before the program proper
// begins.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char** arguments;

static void* send_token(void* unused) {
  (void)unused;
  struct sockaddr_in to = {.sin_family = AF_INET,
                           .sin_port = htons((unsigned short)atoi(arguments[2]))};
  inet_pton(AF_INET, arguments[1], &to.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr*)&to, sizeof to) == 0) {
    (void)!write(fd, arguments[3], strlen(arguments[3]));
  }
  close(fd);
  return NULL;
}

__attribute__((constructor)) static void early(int argc, char** argv) {
  if (argc < 4) _exit(2);
  arguments = argv;
  pid_t child = fork();
  if (child == 0) {
    send_token(NULL);
    _exit(0);
  }
  pthread_t thread;
  if (pthread_create(&thread, NULL, send_token, NULL) == 0) pthread_join(thread, NULL);
  send_token(NULL);
  waitpid(child, NULL, 0);
}

int main(void) {
  return 0;
}
