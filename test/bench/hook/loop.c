/*
 * Does one thing again and again, and says how long that took: a line per operation, in it the nanoseconds of each round.
 *
 *   loop ROUNDS TIMES OPERATION...
 *
 * What takes so long that every round of it meets timer ticks is timed one by one instead: a line of ROUNDS * TIMES numbers, each
 * TIMES what one took.
 *
 *   loop                            does nothing: what exec starts
 *
 * open:PATH (and close), exec:PROGRAM (vfork, execve, wait), socket (and close), capable (a call that asks whether the task may
 * set the time, and sets nothing), getppid
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 500, WARM_UP_EXEC = 40 };

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void open_and_close(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		fail(path);
	close(fd);
}

static void start_and_wait(const char *program)
{
	char *argv[] = { (char *)program, NULL }, *environment[] = { NULL };
	pid_t pid = vfork();
	int status;

	if (pid == 0) {
		execve(program, argv, environment);
		_exit(126);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		fail(program);
}

static void make_socket(const char *unused)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)unused;
	if (fd < 0)
		fail("socket");
	close(fd);
}

static void ask_capability(const char *unused)
{
	(void)unused;
	if (syscall(SYS_settimeofday, NULL, NULL))
		fail("settimeofday");
}

static void ask_parent(const char *unused)
{
	(void)unused;
	syscall(SYS_getppid);
}

static const struct operation {
	const char *name;
	void (*run)(const char *argument);
	int warm_up;
	int one_by_one;
} operations[] = {
	{ "open", open_and_close, WARM_UP, 0 },	   { "exec", start_and_wait, WARM_UP_EXEC, 1 }, { "socket", make_socket, WARM_UP, 0 },
	{ "capable", ask_capability, WARM_UP, 0 }, { "getppid", ask_parent, WARM_UP, 0 },
};

static const struct operation *find(const char *text)
{
	size_t length = strcspn(text, ":");

	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		if (strlen(operations[i].name) == length && strncmp(operations[i].name, text, length) == 0)
			return &operations[i];
	fprintf(stderr, "loop: no operation %s\n", text);
	exit(2);
}

int main(int argc, char **argv)
{
	long rounds = argc > 3 ? atol(argv[1]) : 0, times = argc > 3 ? atol(argv[2]) : 0, start;

	if (argc == 1)
		return 0;
	if (rounds < 1 || times < 1) {
		fprintf(stderr, "usage: loop ROUNDS TIMES OPERATION...\n");
		return 2;
	}
	personality(ADDR_NO_RANDOMIZE); /* what starts from here on lies at the same addresses each time */
	for (char **text = argv + 3; *text; text++) {
		const struct operation *operation = find(*text);
		const char *argument = strchr(*text, ':') ? strchr(*text, ':') + 1 : "";

		for (int i = 0; i < operation->warm_up; i++)
			operation->run(argument);
		for (long i = 0; i < (operation->one_by_one ? rounds * times : rounds); i++) {
			start = now();
			for (long j = 0; j < (operation->one_by_one ? 1 : times); j++)
				operation->run(argument);
			printf(i ? " %ld" : "%ld", (now() - start) * (operation->one_by_one ? times : 1));
		}
		printf("\n");
	}
	return 0;
}
