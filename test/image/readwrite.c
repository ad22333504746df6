/* SPDX-License-Identifier: Apache-2.0 */
/* readwrite -r FILE: reads one byte and prints it; readwrite -w FILE: appends a line. Opens FILE exactly once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *file)
{
	fprintf(stderr, "readwrite: %s: %s\n", file, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	char byte[2] = "";
	int fd;

	if (argc != 3 || (strcmp(argv[1], "-r") && strcmp(argv[1], "-w"))) {
		fprintf(stderr, "usage: readwrite -r|-w FILE\n");
		return 2;
	}
	if (argv[1][1] == 'w') {
		fd = open(argv[2], O_WRONLY | O_APPEND);
		if (fd < 0 || write(fd, "x\n", 2) != 2)
			return fail(argv[2]);
		puts("written");
		return 0;
	}
	fd = open(argv[2], O_RDONLY);
	if (fd < 0 || read(fd, byte, 1) < 0)
		return fail(argv[2]);
	puts(byte);
	return 0;
}
