/*
 * Tries something that is forbidden and something that is allowed, as fast as it can, and counts in a file that others read:
 * tries, forbidden ones that worked, allowed ones that did not, the errno of the last of these, all as 64-bit words.
 *
 *     hammer COUNTS CGROUP open FORBIDDEN ALLOWED PROGRAM     opens files; PROGRAM is forbidden to start, tried now and then
 *     hammer COUNTS CGROUP exec FORBIDDEN ALLOWED             starts programs in child processes; both end with status 0
 *
 * It enters the cgroup itself and starts anew from there, so that it is a program of the workload. Ends at SIGTERM.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

enum { TRIES, WORKED, REFUSED, ERROR, WORDS };

static volatile uint64_t *map_counts(const char *path)
{
	int fd = open(path, O_RDWR);
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd < 0 || memory == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	close(fd);
	return memory;
}

static void enter(const char *cgroup, char **argv)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	file = fopen(path, "w");
	if (!file || fprintf(file, "0\n") < 0 || fclose(file)) {
		perror(path);
		exit(1);
	}
	argv[2] = "-";
	execv(argv[0], argv);
	perror(argv[0]);
	exit(1);
}

/* Whether the program could be started: it ended by itself, with status 0. */
static int starts(const char *program)
{
	char *argv[] = { (char *)program, NULL }, *envp[] = { NULL };
	pid_t child = vfork();
	int status;

	if (child == 0) {
		execve(program, argv, envp);
		_exit(errno == EACCES ? 126 : 125);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	errno = WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
	return status == 0;
}

static int opens(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	close(fd);
	return 1;
}

int main(int argc, char **argv)
{
	volatile uint64_t *counts;
	int files;

	if (argc < 6) {
		fprintf(stderr, "usage: hammer COUNTS CGROUP open|exec FORBIDDEN ALLOWED [PROGRAM]\n");
		return 2;
	}
	if (strcmp(argv[2], "-"))
		enter(argv[2], argv);
	signal(SIGTERM, end);
	counts = map_counts(argv[1]);
	files = !strcmp(argv[3], "open");
	while (!ended) {
		if (files ? opens(argv[4]) : starts(argv[4]))
			counts[WORKED]++;
		if (files && argc > 6 && counts[TRIES] % 64 == 0 && starts(argv[6]))
			counts[WORKED]++;
		if (!(files ? opens(argv[5]) : starts(argv[5]))) {
			counts[REFUSED]++;
			counts[ERROR] = errno;
		}
		counts[TRIES]++;
	}
	return 0;
}
