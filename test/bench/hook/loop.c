/*
 * Opens and closes files, and says how long that took: a line per path, in it the nanoseconds of each round.
 *
 *   loop ROUNDS TIMES PATH...
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 500 };

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void open_and_close(const char *path, long times)
{
	for (long i = 0; i < times; i++) {
		int fd = open(path, O_RDONLY);

		if (fd < 0) {
			perror(path);
			exit(1);
		}
		close(fd);
	}
}

int main(int argc, char **argv)
{
	long rounds = argc > 3 ? atol(argv[1]) : 0, times = argc > 3 ? atol(argv[2]) : 0, start;

	if (rounds < 1 || times < 1) {
		fprintf(stderr, "usage: loop ROUNDS TIMES PATH...\n");
		return 2;
	}
	for (char **path = argv + 3; *path; path++) {
		open_and_close(*path, WARM_UP);
		for (long i = 0; i < rounds; i++) {
			start = now();
			open_and_close(*path, times);
			printf(i ? " %ld" : "%ld", now() - start);
		}
		printf("\n");
	}
	return 0;
}
