/*
 * A workload that does its worst for a while: everybody here tries to get at what the rules refuse, as fast as it goes.
 *
 *   attack SECONDS     prints a line `NAME TRIES BREACHES` for each way
 *
 * Refused are: starting /usr/bin/id, reading /credentials/password.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECRET "/credentials/password"
#define PROGRAM "/usr/bin/id"

struct score {
	const char *name;
	long tries, breaches;
};

static volatile int *over;

static int readable(const char *path)
{
	int fd = open(path, O_RDONLY);
	char text[64] = "";

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return strstr(text, "password file") != NULL;
}

/* Starts, one after the other, what is refused and what is not. */
static void exec_storm(struct score *score)
{
	while (!*over) {
		char *refused[] = { PROGRAM, NULL }, *allowed[] = { "/usr/bin/true", NULL };
		int status;

		for (int i = 0; i < 2; i++) {
			pid_t pid = vfork();

			if (pid == 0) {
				execv(i ? allowed[0] : refused[0], i ? allowed : refused);
				_exit(126);
			}
			if (pid < 0)
				continue;
			waitpid(pid, &status, 0);
			score->tries++;
			if (!i && WIFEXITED(status) && WEXITSTATUS(status) != 126)
				score->breaches++;
		}
	}
}

/* One process points a link here and there, the other opens it. */
static void link_race(struct score *score)
{
	pid_t pid;

	mkdir("/tmp/race", 0777);
	close(open("/tmp/race/plain", O_CREAT | O_WRONLY, 0666));
	pid = fork();
	if (pid == 0) {
		for (int i = 0; !*over; i++) {
			unlink("/tmp/race/next");
			if (symlink(i & 1 ? SECRET : "/tmp/race/plain", "/tmp/race/next") == 0)
				rename("/tmp/race/next", "/tmp/race/link");
		}
		_exit(0);
	}
	while (!*over) {
		score->tries++;
		score->breaches += readable("/tmp/race/link");
	}
	waitpid(pid, NULL, 0);
}

/* Renames all the time, so that walks are torn, and opens meanwhile. */
static void rename_storm(struct score *score)
{
	pid_t pid;

	mkdir("/tmp/storm", 0777);
	mkdir("/tmp/storm/a", 0777);
	pid = fork();
	if (pid == 0) {
		while (!*over) {
			rename("/tmp/storm/a", "/tmp/storm/b");
			rename("/tmp/storm/b", "/tmp/storm/a");
		}
		_exit(0);
	}
	while (!*over) {
		score->tries++;
		score->breaches += readable(SECRET);
	}
	waitpid(pid, NULL, 0);
}

static int become_root_of_own_namespace(int flags)
{
	int fd;

	if (unshare(CLONE_NEWUSER | flags))
		return -1;
	fd = open("/proc/self/setgroups", O_WRONLY);
	if (fd >= 0) {
		if (write(fd, "deny", 4) < 0)
			return -1;
		close(fd);
	}
	fd = open("/proc/self/uid_map", O_WRONLY);
	if (fd < 0 || write(fd, "0 0 1", 5) != 5)
		return -1;
	close(fd);
	return 0;
}

/* A tree of mounts as deep as it gets, on the way to the file that is refused; mounts come and go. */
static void mount_tree(struct score *score)
{
	char path[4096] = "/tmp/mounts";

	if (become_root_of_own_namespace(CLONE_NEWNS)) {
		score->tries = -errno;
		return;
	}
	mkdir(path, 0777);
	while (!*over) {
		size_t length = strlen("/tmp/mounts");
		int depth = 0;

		path[length] = 0;
		for (; depth < 60 && !*over; depth++) {
			if (mount("tmpfs", path, "tmpfs", 0, "size=64k"))
				break;
			strcat(path, "/m");
			mkdir(path, 0777);
			score->tries++;
			score->breaches += readable(SECRET);
		}
		path[length] = 0;
		umount2(path, MNT_DETACH);
	}
}

/* Makes cgroups of its own and moves into them. */
static void own_cgroups(struct score *score)
{
	int i;

	if (become_root_of_own_namespace(CLONE_NEWNS | CLONE_NEWCGROUP)) {
		score->tries = -errno;
		return;
	}
	mkdir("/tmp/cgroup", 0777);
	if (mount("cgroup2", "/tmp/cgroup", "cgroup2", 0, NULL)) {
		score->tries = -errno;
		return;
	}
	for (i = 0; !*over; i++) {
		char path[64], *refused[] = { PROGRAM, NULL };
		int fd, status;
		pid_t pid;

		snprintf(path, sizeof(path), "/tmp/cgroup/own%d", i);
		mkdir(path, 0777);
		pid = fork();
		if (pid == 0) {
			strcat(path, "/cgroup.procs");
			fd = open(path, O_WRONLY);
			if (fd < 0 || write(fd, "0", 1) != 1)
				_exit(125);
			if (readable(SECRET))
				_exit(1);
			execv(refused[0], refused);
			_exit(126);
		}
		waitpid(pid, &status, 0);
		score->tries++;
		if (WIFEXITED(status) && WEXITSTATUS(status) < 125)
			score->breaches++;
		rmdir(path);
	}
}

static const struct {
	const char *name;
	void (*run)(struct score *score);
} ways[] = {
	{ "exec-storm", exec_storm }, { "link-race", link_race },     { "rename-storm", rename_storm },
	{ "mount-tree", mount_tree }, { "own-cgroups", own_cgroups },
};

enum { WAYS = sizeof(ways) / sizeof(*ways) };

int main(int argc, char **argv)
{
	struct score *scores = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int seconds = argc == 2 ? atoi(argv[1]) : 0;

	if (seconds < 1 || scores == MAP_FAILED) {
		fprintf(stderr, "usage: attack SECONDS\n");
		return 2;
	}
	over = (volatile int *)&scores[WAYS];
	for (int i = 0; i < WAYS; i++)
		if (fork() == 0) {
			ways[i].run(&scores[i]);
			_exit(0);
		}
	sleep(seconds);
	*over = 1;
	while (wait(NULL) > 0)
		;
	for (int i = 0; i < WAYS; i++)
		printf("%s %ld %ld\n", ways[i].name, scores[i].tries, scores[i].breaches);
	return 0;
}
