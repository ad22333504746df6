/* SPDX-License-Identifier: Apache-2.0 */
/*
 * services PID: the three services of a pod, in the network namespace of PID and outside its cgroup.
 *
 * 127.0.0.1:8080 TCP: answers every request with status 200 and "picket-fixture". 127.0.0.1:53 UDP: answers every A
 * question with 127.0.0.1, every other with an empty answer. 127.0.0.1:9999 UDP: echo. Prints "ready" when all listen.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int bound(int type, int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || (type == SOCK_STREAM && listen(fd, 64)))
		err(1, "port %d", port);
	return fd;
}

/* One request per connection; a client that says nothing for two seconds is dropped. */
static void serve_http(int listener)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 15\r\n"
				    "Connection: close\r\n\r\npicket-fixture\n";
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct timeval limit = { .tv_sec = 2 };
	char request[8192];
	size_t length = 0;
	ssize_t got;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	while (length < sizeof(request) - 1 && (got = read(fd, request + length, sizeof(request) - 1 - length)) > 0) {
		length += got;
		request[length] = 0;
		if (strstr(request, "\r\n\r\n")) {
			if (write(fd, reply, sizeof(reply) - 1) < 0)
				warn("http");
			break;
		}
	}
	close(fd);
}

/* Turns the question in `message` into its answer (RFC 1035 section 4.1); returns the length, 0 when it is no question. */
static size_t answer_dns(unsigned char *message, size_t length, size_t size)
{
	static const unsigned char record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1 };
	size_t at = 12;
	int address;

	if (length < 17 || (message[2] & 0x80) || message[4] || message[5] != 1)
		return 0;
	while (at < length && message[at])
		at += message[at] + 1;
	at += 5;
	if (at > length || at + sizeof(record) > size)
		return 0;
	address = !message[at - 4] && message[at - 3] == 1;
	message[2] = 0x84 | (message[2] & 1);
	message[3] = 0x80;
	memset(message + 6, 0, 6);
	message[7] = address;
	if (!address)
		return at;
	memcpy(message + at, record, sizeof(record));
	return at + sizeof(record);
}

static void serve_datagram(int fd, size_t (*answer)(unsigned char *, size_t, size_t))
{
	struct sockaddr_storage peer;
	socklen_t peer_length = sizeof(peer);
	unsigned char message[65536];
	ssize_t got = recvfrom(fd, message, sizeof(message), 0, (struct sockaddr *)&peer, &peer_length);
	size_t length;

	if (got < 0)
		return;
	length = answer ? answer(message, got, sizeof(message)) : (size_t)got;
	if (length || !answer)
		sendto(fd, message, length, 0, (struct sockaddr *)&peer, peer_length);
}

int main(int argc, char **argv)
{
	struct pollfd sockets[3];
	char path[64];
	int fd;

	if (argc != 2)
		errx(2, "usage: services PID");
	snprintf(path, sizeof(path), "/proc/%s/ns/net", argv[1]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "%s", path);
	sockets[0] = (struct pollfd){ .fd = bound(SOCK_STREAM, 8080), .events = POLLIN };
	sockets[1] = (struct pollfd){ .fd = bound(SOCK_DGRAM, 53), .events = POLLIN };
	sockets[2] = (struct pollfd){ .fd = bound(SOCK_DGRAM, 9999), .events = POLLIN };
	puts("ready");
	fflush(stdout);
	while (poll(sockets, 3, -1) > 0) {
		if (sockets[0].revents)
			serve_http(sockets[0].fd);
		if (sockets[1].revents)
			serve_datagram(sockets[1].fd, answer_dns);
		if (sockets[2].revents)
			serve_datagram(sockets[2].fd, NULL);
	}
	return 1;
}
