/* SPDX-License-Identifier: Apache-2.0 */
/* What sessions with a terminal share. */
#include <errno.h>
#include <unistd.h>

/*
 * Copies what the session writes to our standard output. Ends when the terminal is hung up, which the kernel does when the
 * session's leader ends (disassociate_ctty): what that left in the background is not waited for, and nothing is lost.
 */
static inline void terminal__copy(int master)
{
	char bytes[65536];

	for (;;) {
		ssize_t got = read(master, bytes, sizeof(bytes)), put = 0;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		while (put < got) {
			ssize_t n = write(STDOUT_FILENO, bytes + put, got - put);

			if (n < 0 && errno != EINTR)
				return;
			put += n > 0 ? n : 0;
		}
	}
}
