/*
 * Sends questions to a DNS server of its own on port 53 of the loopback interface, in every way in which a message can be
 * sent, and prints what each system call answered and how many messages arrived.
 *
 *   ask WAY NAME [NAME]    the ways: see the table at the end. A second NAME: of the last message, or of the last question
 *   ask sockets            bind, connect, listen, accept and send, each twice, with sockets of several kinds
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum { HEADER = 12, PORT = 53 };

struct message {
	unsigned char bytes[1024];
	size_t length;
};

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static int checked(int result, const char *what)
{
	if (result < 0)
		fail(what);
	return result;
}

static void put(struct message *m, const void *bytes, size_t length)
{
	memcpy(m->bytes + m->length, bytes, length);
	m->length += length;
}

static void begin(struct message *m, int questions)
{
	unsigned char header[HEADER] = { 0x12, 0x34, 0x01, 0, 0, questions };

	m->length = 0;
	put(m, header, sizeof(header));
}

static void put_labels(struct message *m, const char *name)
{
	while (*name) {
		size_t length = strcspn(name, ".");
		unsigned char byte = length;

		put(m, &byte, 1);
		put(m, name, length);
		name += length + (name[length] == '.');
	}
}

/* A question for an address (type A, class IN). */
static void put_question(struct message *m, const char *name)
{
	put_labels(m, name);
	put(m, "\0\0\1\0\1", 5);
}

static struct message question(const char *name)
{
	struct message m;

	begin(&m, 1);
	put_question(&m, name);
	return m;
}

static struct sockaddr_in address(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static struct sockaddr_in6 address6(const char *text)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };

	inet_pton(AF_INET6, text, &a.sin6_addr);
	return a;
}

static void say(ssize_t result)
{
	if (result < 0)
		printf("%s ", strerrorname_np(errno));
	else
		printf("ok ");
}

static int connected(void)
{
	struct sockaddr_in to = address(PORT);
	int fd = checked(socket(AF_INET, SOCK_DGRAM, 0), "socket");

	checked(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
	return fd;
}

static int connected6(const char *text)
{
	struct sockaddr_in6 to = address6(text);
	int fd = checked(socket(AF_INET6, SOCK_DGRAM, 0), "socket");

	checked(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
	return fd;
}

static void send_whole(int fd, struct message m)
{
	say(send(fd, m.bytes, m.length, 0));
}

static void by_connected(const char *name, const char *other)
{
	send_whole(connected(), question(name));
}

static void by_write(const char *name, const char *other)
{
	struct message m = question(name);

	say(write(connected(), m.bytes, m.length));
}

static void by_sendto(const char *name, const char *other)
{
	struct message m = question(name);
	struct sockaddr_in to = address(PORT);

	say(sendto(socket(AF_INET, SOCK_DGRAM, 0), m.bytes, m.length, 0, (struct sockaddr *)&to, sizeof(to)));
}

/* A socket that is connected to somewhere else. */
static void by_other_address(const char *name, const char *other)
{
	struct sockaddr_in to = address(PORT), elsewhere = address(5353);
	struct message m = question(name);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	checked(connect(fd, (struct sockaddr *)&elsewhere, sizeof(elsewhere)), "connect");
	say(sendto(fd, m.bytes, m.length, 0, (struct sockaddr *)&to, sizeof(to)));
}

static void by_ipv6(const char *name, const char *other)
{
	send_whole(connected6("::1"), question(name));
}

static void by_mapped_ipv4(const char *name, const char *other)
{
	send_whole(connected6("::ffff:127.0.0.1"), question(name));
}

/* Every byte from another place. */
static void by_bytes(const char *name, const char *other)
{
	struct message m = question(name);
	struct iovec pieces[1024];

	for (size_t i = 0; i < m.length; i++)
		pieces[i] = (struct iovec){ m.bytes + i, 1 };
	say(writev(connected(), pieces, m.length));
}

/* From a page that nobody has touched yet. */
static void by_fresh_page(const char *name, const char *other)
{
	struct message m = question(name);
	int file = checked(memfd_create("message", 0), "memfd_create");
	unsigned char *page;

	checked(write(file, m.bytes, m.length), "write");
	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
	if (page == MAP_FAILED)
		fail("mmap");
	say(send(connected(), page, m.length, 0));
}

static void send_both(int fd, const char *name, const char *other, struct sockaddr_in *to)
{
	struct message m[2] = { question(name), question(other) };
	struct iovec pieces[2];
	struct mmsghdr list[2] = {};
	int sent;

	for (int i = 0; i < 2; i++) {
		pieces[i] = (struct iovec){ m[i].bytes, m[i].length };
		list[i].msg_hdr = (struct msghdr){ .msg_iov = &pieces[i], .msg_iovlen = 1 };
		if (to) {
			list[i].msg_hdr.msg_name = to;
			list[i].msg_hdr.msg_namelen = sizeof(*to);
		}
	}
	sent = sendmmsg(fd, list, 2, 0);
	if (sent >= 0)
		printf("sent=%d ", sent);
	else
		say(sent);
}

static void by_sendmmsg(const char *name, const char *other)
{
	send_both(connected(), name, other, NULL);
}

/* The kernel asks nobody about a second message to the same address. */
static void by_sendmmsg_to(const char *name, const char *other)
{
	struct sockaddr_in to = address(PORT);

	send_both(socket(AF_INET, SOCK_DGRAM, 0), name, other, &to);
}

static void send_pieces(int fd, struct message m, int flag)
{
	size_t first = HEADER + 3;

	say(send(fd, m.bytes, first, flag));
	say(send(fd, m.bytes + first, m.length - first, 0));
}

static void by_more(const char *name, const char *other)
{
	send_pieces(connected(), question(name), MSG_MORE);
}

static void by_cork(const char *name, const char *other)
{
	struct message m = question(name);
	int fd = connected(), on = 1, off = 0;

	setsockopt(fd, IPPROTO_UDP, UDP_CORK, &on, sizeof(on));
	say(send(fd, m.bytes, HEADER, 0));
	say(send(fd, m.bytes + HEADER, m.length - HEADER, 0));
	say(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &off, sizeof(off)));
}

static void by_splice(const char *name, const char *other)
{
	struct message m = question(name);
	int ends[2];

	checked(pipe(ends), "pipe");
	checked(write(ends[1], m.bytes, m.length), "write");
	say(splice(ends[0], NULL, connected(), NULL, m.length, 0));
}

static void by_sendfile(const char *name, const char *other)
{
	struct message m = question(name);
	int file = checked(memfd_create("message", 0), "memfd_create");
	off_t start = 0;

	checked(write(file, m.bytes, m.length), "write");
	say(sendfile(connected(), file, &start, m.length));
}

/* Two messages of one length in one call. */
static void by_segments(const char *name, const char *other)
{
	struct message m = question(name), second = question(other);
	int fd = connected(), size = m.length;

	checked(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)), "UDP_SEGMENT");
	put(&m, second.bytes, second.length);
	send_whole(fd, m);
}

static void by_two_questions(const char *name, const char *other)
{
	struct message m;

	begin(&m, 2);
	put_question(&m, name);
	put_question(&m, other);
	send_whole(connected(), m);
}

/* The first label, and a pointer to the rest, which follows the question. */
static void by_pointer(const char *name, const char *other)
{
	struct message m;
	size_t length = strcspn(name, ".");
	unsigned char first = length, pointer[2] = { 0xc0, HEADER + 1 + length + 2 + 4 };

	begin(&m, 1);
	put(&m, &first, 1);
	put(&m, name, length);
	put(&m, pointer, 2);
	put(&m, "\0\1\0\1", 4);
	put_labels(&m, name + length + 1);
	put(&m, "", 1);
	send_whole(connected(), m);
}

/* A name that leads to itself. */
static void by_circle(const char *name, const char *other)
{
	struct message m;
	unsigned char pointer[2] = { 0xc0, HEADER };

	begin(&m, 1);
	put_labels(&m, name);
	put(&m, pointer, 2);
	put(&m, "\0\1\0\1", 4);
	send_whole(connected(), m);
}

static void by_cut_name(const char *name, const char *other)
{
	struct message m = question(name);

	m.length -= 7;
	send_whole(connected(), m);
}

/* A question that begins beyond what is read of a message. */
static void by_far_question(const char *name, const char *other)
{
	struct message m;

	begin(&m, 41);
	for (int i = 0; i < 40; i++)
		put_question(&m, "far.example");
	put_question(&m, name);
	send_whole(connected(), m);
}

static void by_answer(const char *name, const char *other)
{
	struct message m = question(name);

	m.bytes[2] |= 0x80;
	send_whole(connected(), m);
}

static void by_other_port(const char *name, const char *other)
{
	struct message m = question(name);
	struct sockaddr_in to = address(5353);

	say(sendto(socket(AF_INET, SOCK_DGRAM, 0), m.bytes, m.length, 0, (struct sockaddr *)&to, sizeof(to)));
}

/* The same question again and again. */
static void by_repeat(const char *name, const char *other)
{
	int fd = connected();

	for (int i = 0; i < 3; i++)
		send_whole(fd, question(name));
}

static void sockets(void)
{
	struct sockaddr_in any = address(0), echo = address(9999), at;
	socklen_t length = sizeof(at);
	int udp = checked(socket(AF_INET, SOCK_DGRAM, 0), "socket"), tcp = checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
	int client[2];

	say(bind(udp, (struct sockaddr *)&any, sizeof(any)));
	for (int i = 0; i < 2; i++)
		say(sendto(udp, "x", 1, 0, (struct sockaddr *)&echo, sizeof(echo)));
	for (int i = 0; i < 2; i++)
		say(connect(udp, (struct sockaddr *)&echo, sizeof(echo)));
	say(send(udp, "x", 1, 0));
	say(bind(tcp, (struct sockaddr *)&any, sizeof(any)));
	for (int i = 0; i < 2; i++)
		say(listen(tcp, 4));
	getsockname(tcp, (struct sockaddr *)&at, &length);
	for (int i = 0; i < 2; i++) {
		client[i] = checked(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP), "socket");
		say(connect(client[i], (struct sockaddr *)&at, sizeof(at)));
		say(accept(tcp, NULL, NULL));
		say(send(client[i], "x", 1, 0));
	}
}

static const struct {
	const char *name;
	void (*send)(const char *name, const char *other);
} ways[] = {
	{ "connected", by_connected },
	{ "write", by_write },
	{ "sendto", by_sendto },
	{ "other-address", by_other_address },
	{ "ipv6", by_ipv6 },
	{ "mapped-ipv4", by_mapped_ipv4 },
	{ "bytes", by_bytes },
	{ "fresh-page", by_fresh_page },
	{ "sendmmsg", by_sendmmsg },
	{ "sendmmsg-to", by_sendmmsg_to },
	{ "more", by_more },
	{ "cork", by_cork },
	{ "splice", by_splice },
	{ "sendfile", by_sendfile },
	{ "segments", by_segments },
	{ "two-questions", by_two_questions },
	{ "pointer", by_pointer },
	{ "circle", by_circle },
	{ "cut-name", by_cut_name },
	{ "far-question", by_far_question },
	{ "answer", by_answer },
	{ "other-port", by_other_port },
	{ "repeat", by_repeat },
};

int main(int argc, char **argv)
{
	struct sockaddr_in here = address(PORT);
	struct sockaddr_in6 here6 = address6("::1");
	int server, server6, only = 1, arrived = 0;
	char buffer[2048];

	if (argc == 2 && !strcmp(argv[1], "sockets")) {
		sockets();
		puts("");
		return 0;
	}
	if (argc < 3) {
		fprintf(stderr, "usage: ask WAY NAME [NAME]\n");
		return 2;
	}
	server = checked(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), "socket");
	server6 = checked(socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0), "socket");
	setsockopt(server6, IPPROTO_IPV6, 26 /* IPV6_V6ONLY */, &only, sizeof(only));
	checked(bind(server, (struct sockaddr *)&here, sizeof(here)), "bind");
	checked(bind(server6, (struct sockaddr *)&here6, sizeof(here6)), "bind");
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (!strcmp(argv[1], ways[i].name)) {
			ways[i].send(argv[2], argv[argc - 1]);
			while (recv(server, buffer, sizeof(buffer), 0) >= 0 || recv(server6, buffer, sizeof(buffer), 0) >= 0)
				arrived++;
			printf("arrived=%d\n", arrived);
			return 0;
		}
	fprintf(stderr, "no way is named %s\n", argv[1]);
	return 2;
}
