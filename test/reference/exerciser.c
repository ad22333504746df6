/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exerciser --director CGROUP_PROCS ROOT: carries out system calls that it is told, many of them and fast, and says what each returned.
 *
 * The process that is started is the director. It makes a mount namespace of its own with an empty tmpfs as root, reads
 * records from standard input and writes one 32-bit result per record to standard output. Records for actor 0 it carries
 * out itself, the others it hands to the actor: a process that it started (SPAWN) from a copy of this very program, so each
 * has the executable that it was started from. An actor lives in the cgroup behind CGROUP_PROCS or outside of it; the
 * director stays outside, so what it does to prepare and to tidy up is judged by nobody.
 *
 * A result is 0 or an errno; of an exec that succeeded 256 + exit status unless that is 0, or 512 + signal.
 * A record: struct record, then `size` bytes of zero-terminated strings. test/reference/records.ts writes them.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Numbers as in records.ts; a test compares. */
enum operation {
	/* told to an actor */
	OPEN = 1,       /* a flags, b mode, c slot that keeps the descriptor (-1: closed at once), d slot of the directory; path */
	CLOSE,          /* a slot */
	MKDIR,          /* a mode, d; path */
	MKNOD,          /* a mode, b major, c minor, d; path */
	SYMLINK,        /* d; target, path */
	LINK,           /* a flags, c slot of the old directory, d; old, new */
	UNLINK,         /* a flags, d; path */
	RENAME,         /* a flags, c slot of the old directory, d; old, new */
	TRUNCATE,       /* path */
	FTRUNCATE,      /* a slot */
	CHMOD,          /* a mode, d; path */
	FCHMOD,         /* a mode, b slot */
	CHOWN,          /* a uid, b gid, c flags, d; path */
	FCHOWN,         /* a uid, b gid, c slot */
	WRITE,          /* a slot, b enum way */
	BIND_LOCAL,     /* path */
	EXEC,           /* a flags, d; path, arguments */
	EXEC_MEMORY,    /* name, arguments: a program without a file */
	CHDIR,          /* path */
	SOCKET,         /* a family, b type, c protocol, d slot */
	BIND,           /* a slot, b port */
	CONNECT,        /* a slot, b port */
	LISTEN,         /* a slot */
	ACCEPT,         /* a slot */
	SEND,           /* a slot, b port */
	CAPABILITY,     /* a number */
	RECEIVE,        /* a slot: the descriptor that comes with the record; b slot of the director */
	/* once, when an actor starts */
	TERMINAL,       /* a: 1 with a controlling terminal, 0 without */
	CHROOT,         /* path */
	USER,           /* a uid */
	QUESTION,       /* a slot, b: 1 the socket is connected; domain: a DNS question to port 53 */
	/* the director alone */
	SPAWN = 64,     /* a actor, b: 1 in the cgroup; program */
	MAKE,           /* a enum kind, b mode, c uid, d device major << 8 | minor; path, target or interpreter */
	REMOVE,         /* path: with everything below */
	MOUNT,          /* a flags; source, target, type, data */
	UNMOUNT,        /* path */
	CHAIN,          /* a count; path, name: that many directories inside each other */
	UMASK,          /* a mask */
};

enum kind { DIRECTORY = 1, EMPTY, PROGRAM, SCRIPT, SELF, SYMBOLIC, FIFO, CHARACTER };
enum way { PLAIN = 1, POSITIONED, VECTOR, ALLOCATE, SENDFILE, SPLICE, COPY };
enum { SLOTS = 64, ACTORS = 256, LONGEST = 1 << 16, SKIPPED = -1 };

enum mark {
	LAST = 1,  /* see `when` */
	CHILD = 2, /* carried out in a child, which may be killed for it */
	RING = 4,  /* submitted through io_uring */
	LATER = 8, /* with RING: by a worker of the kernel */
};

struct record {
	uint32_t size;
	uint16_t actor;
	uint16_t operation;
	uint16_t when; /* 0 always; 1, 2: if the last marked record returned 0, did not */
	uint16_t mark; /* enum mark */
	int32_t a, b, c, d;
};

static struct record record;
static char text[LONGEST];
static const char *string[64];
static int strings, slots[SLOTS], actors[ACTORS], cgroup_procs;
static void *self;
static size_t self_size;

#define CHECKED(call) ((call) < 0 ? errno : 0)

static int slot(int number)
{
	return number < 0 || number >= SLOTS ? AT_FDCWD : slots[number];
}

static void keep(int number, int fd)
{
	if (number < 0 || number >= SLOTS) {
		close(fd);
		return;
	}
	if (slots[number] >= 0)
		close(slots[number]);
	slots[number] = fd;
}

static void split(void)
{
	strings = 0;
	for (uint32_t at = 0; at < record.size && strings < 63; at += strlen(text + at) + 1)
		string[strings++] = text + at;
	string[strings] = NULL;
}

static int write_all(int fd, const void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, (const char *)data + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		done += n;
	}
	return 0;
}

/* The smallest program: exit(0). */
static size_t tiny(unsigned char *out)
{
#if defined(__x86_64__)
	static const unsigned char code[] = { 0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05 };
	enum { MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
	static const unsigned char code[] = { 0x00, 0x00, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4 };
	enum { MACHINE = EM_AARCH64 };
#endif
	enum { BASE = 0x400000, HEADERS = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) };
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = MACHINE, .e_version = EV_CURRENT, .e_entry = BASE + HEADERS,
		.e_phoff = sizeof(Elf64_Ehdr), .e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1,
	};
	Elf64_Phdr segment = {
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = BASE, .p_paddr = BASE,
		.p_filesz = HEADERS + sizeof(code), .p_memsz = HEADERS + sizeof(code), .p_align = 0x1000,
	};

	memcpy(out, &header, sizeof(header));
	memcpy(out + sizeof(header), &segment, sizeof(segment));
	memcpy(out + HEADERS, code, sizeof(code));
	return HEADERS + sizeof(code);
}

static int write_way(int fd, int way)
{
	struct iovec pieces[2] = { { "a", 1 }, { "b", 1 } };
	int memory, ends[2], result;
	loff_t from = 0, to = 0;

	switch (way) {
	case PLAIN:
		return CHECKED(write(fd, "x", 1));
	case POSITIONED:
		return CHECKED(pwrite(fd, "x", 1, 0));
	case VECTOR:
		return CHECKED(writev(fd, pieces, 2));
	case ALLOCATE:
		return CHECKED(fallocate(fd, 0, 0, 4096));
	case SPLICE:
		if (pipe2(ends, O_CLOEXEC) || write(ends[1], "x", 1) != 1)
			return 1000 + errno;
		result = CHECKED(splice(ends[0], NULL, fd, NULL, 1, 0));
		close(ends[0]);
		close(ends[1]);
		return result;
	case SENDFILE:
	case COPY:
		memory = memfd_create("source", MFD_CLOEXEC);
		if (memory < 0 || write(memory, "x", 1) != 1)
			return 1000 + errno;
		result = way == COPY ? CHECKED(copy_file_range(memory, &from, fd, &to, 1, 0)) :
				       CHECKED(sendfile(fd, memory, &from, 1));
		close(memory);
		return result;
	}
	return EINVAL;
}

/* exec in a child that shares our memory until it does: nothing is copied, and the errno of a failed exec is simply there. */
static int start(int flags, int directory, const char *path, char **arguments, bool memory)
{
	static char *none[] = { NULL };
	volatile int error = 0;
	int status;
	pid_t child = vfork();

	if (child < 0)
		return 1000 + errno;
	if (!child) {
		if (memory) {
			unsigned char program[256];

			directory = memfd_create(path, MFD_CLOEXEC);
			if (directory < 0 || write_all(directory, program, tiny(program)))
				_exit(255);
			path = "";
			flags = AT_EMPTY_PATH;
		}
		syscall(SYS_execveat, directory, path, arguments, none, flags);
		error = errno;
		_exit(0);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (error)
		return error;
	if (WIFSIGNALED(status))
		return 512 + WTERMSIG(status);
	return WEXITSTATUS(status) ? 256 + WEXITSTATUS(status) : 0;
}

static socklen_t loopback(int fd, int port, struct sockaddr_storage *address)
{
	int family = 0;
	socklen_t size = sizeof(family);

	memset(address, 0, sizeof(*address));
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
	address->ss_family = family;
	if (family == AF_INET) {
		struct sockaddr_in *in = (void *)address;

		in->sin_port = htons(port);
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(*in);
	}
	if (family == AF_INET6) {
		struct sockaddr_in6 *in = (void *)address;

		in->sin6_port = htons(port);
		in->sin6_addr.s6_addr[15] = 1;
		return sizeof(*in);
	}
	if (family == AF_PACKET) {
		struct sockaddr_ll *link = (void *)address;

		link->sll_ifindex = 1;
		link->sll_protocol = htons(3);
		return sizeof(*link);
	}
	return sizeof(sa_family_t) + 2;
}

static int ask(int fd, bool connected, const char *domain)
{
	unsigned char message[512] = { 0x12, 0x34, 1, 0, 0, 1 }; /* one question, recursion desired */
	struct sockaddr_storage address;
	socklen_t size = loopback(fd, 53, &address);
	size_t length = 12;

	for (const char *label = domain; *label;) {
		size_t bytes = strcspn(label, ".");

		message[length++] = bytes;
		memcpy(message + length, label, bytes);
		length += bytes;
		label += bytes + (label[bytes] == '.');
	}
	message[length++] = 0;
	memcpy(message + length, "\0\1\0\1", 4); /* A, IN */
	length += 4;
	if (connected)
		return CHECKED(send(fd, message, length, MSG_NOSIGNAL));
	return CHECKED(sendto(fd, message, length, MSG_NOSIGNAL, (struct sockaddr *)&address, size));
}

/* Does what needs exactly this capability, and no file. In a child, for some of it lasts. */
static int use_capability(int number)
{
	struct rlimit nothing = { 0, 0 }, limit;
	struct timezone zone = { 0, 0 };
	struct ifreq interface = { .ifr_name = "lo" };
	char name[65];
	int fd;

	switch (number) {
	case 6:
		return CHECKED(setgid(1234));
	case 7:
		return CHECKED(setuid(1234));
	case 8:
		return CHECKED(prctl(PR_CAPBSET_DROP, 40, 0, 0, 0));
	case 12:
		fd = socket(AF_UNIX, SOCK_DGRAM, 0);
		if (ioctl(fd, SIOCGIFFLAGS, &interface))
			return 1000 + errno;
		return CHECKED(ioctl(fd, SIOCSIFFLAGS, &interface));
	case 14:
		if (setrlimit(RLIMIT_MEMLOCK, &nothing))
			return 1000 + errno;
		return CHECKED(mlock(text, 1));
	case 18:
		return CHECKED(chroot("/"));
	case 21:
		if (gethostname(name, sizeof(name)))
			return 1000 + errno;
		return CHECKED(sethostname(name, strlen(name)));
	case 23:
		return CHECKED(setpriority(PRIO_PROCESS, 0, -5));
	case 24:
		if (getrlimit(RLIMIT_CORE, &limit))
			return 1000 + errno;
		limit.rlim_cur = limit.rlim_max = 4096;
		if (setrlimit(RLIMIT_CORE, &limit))
			return 1000 + errno;
		limit.rlim_cur = limit.rlim_max = 8192;
		return CHECKED(setrlimit(RLIMIT_CORE, &limit));
	case 25:
		return CHECKED(syscall(SYS_settimeofday, NULL, &zone));
	case 35:
		return CHECKED(timerfd_create(CLOCK_BOOTTIME_ALARM, TFD_CLOEXEC));
	}
	return EINVAL;
}

static int in_child(int (*act)(int), int argument)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		return 1000 + errno;
	if (!child)
		_exit(act(argument));
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 512 + WTERMSIG(status) : WEXITSTATUS(status);
}

static struct {
	int fd;
	unsigned int *head, *tail, *mask, *array, *done_head, *done_tail, *done_mask;
	struct io_uring_sqe *entries;
	struct io_uring_cqe *done;
} ring = { .fd = -1 };

static int make_ring(void)
{
	struct io_uring_params params = {};
	int fd = syscall(SYS_io_uring_setup, 4, &params);
	size_t size, more;
	char *base;

	if (fd < 0)
		return errno;
	size = params.sq_off.array + params.sq_entries * sizeof(unsigned int);
	more = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
	base = mmap(NULL, size > more ? size : more, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	ring.entries = mmap(NULL, params.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			    IORING_OFF_SQES);
	if (base == MAP_FAILED || ring.entries == MAP_FAILED || !(params.features & IORING_FEAT_SINGLE_MMAP))
		return 1000 + errno;
	ring.head = (void *)(base + params.sq_off.head);
	ring.tail = (void *)(base + params.sq_off.tail);
	ring.mask = (void *)(base + params.sq_off.ring_mask);
	ring.array = (void *)(base + params.sq_off.array);
	ring.done_head = (void *)(base + params.cq_off.head);
	ring.done_tail = (void *)(base + params.cq_off.tail);
	ring.done_mask = (void *)(base + params.cq_off.ring_mask);
	ring.done = (void *)(base + params.cq_off.cqes);
	ring.fd = fd;
	return 0;
}

/* Fills in what the record asks for; false: not through a ring. */
static bool fill_entry(struct io_uring_sqe *entry)
{
	const struct record *r = &record;

	entry->fd = slot(r->d);
	entry->addr = (uintptr_t)string[0];
	switch (r->operation) {
	case OPEN:
		entry->opcode = IORING_OP_OPENAT;
		entry->open_flags = r->a | O_CLOEXEC | O_NOCTTY;
		entry->len = r->b;
		return true;
	case MKDIR:
		entry->opcode = IORING_OP_MKDIRAT;
		entry->len = r->a;
		return true;
	case UNLINK:
		entry->opcode = IORING_OP_UNLINKAT;
		entry->unlink_flags = r->a;
		return true;
	case SYMLINK:
		entry->opcode = IORING_OP_SYMLINKAT;
		entry->addr2 = (uintptr_t)string[1];
		return true;
	case LINK:
	case RENAME:
		entry->opcode = r->operation == LINK ? IORING_OP_LINKAT : IORING_OP_RENAMEAT;
		entry->fd = slot(r->c);
		entry->len = slot(r->d);
		entry->addr2 = (uintptr_t)string[1];
		entry->rename_flags = r->a;
		return true;
	case WRITE:
		entry->opcode = IORING_OP_WRITE;
		entry->fd = slot(r->a);
		entry->addr = (uintptr_t)"x";
		entry->len = 1;
		return true;
	}
	return false;
}

static int submit(void)
{
	struct io_uring_sqe entry = { .flags = record.mark & LATER ? IOSQE_ASYNC : 0 };
	unsigned int place, head;
	int result;

	if (!fill_entry(&entry))
		return ENOSYS;
	if (ring.fd < 0 && (result = make_ring()))
		return result;
	place = *ring.tail & *ring.mask;
	ring.entries[place] = entry;
	ring.array[place] = place;
	__atomic_store_n(ring.tail, *ring.tail + 1, __ATOMIC_RELEASE);
	head = *ring.done_head;
	while (__atomic_load_n(ring.done_tail, __ATOMIC_ACQUIRE) == head)
		if (syscall(SYS_io_uring_enter, ring.fd, *ring.tail - __atomic_load_n(ring.head, __ATOMIC_ACQUIRE), 1,
			    IORING_ENTER_GETEVENTS, NULL, 0) < 0 && errno != EINTR)
			return 1000 + errno;
	result = ring.done[head & *ring.done_mask].res;
	__atomic_store_n(ring.done_head, head + 1, __ATOMIC_RELEASE);
	if (result < 0)
		return -result;
	if (record.operation == OPEN)
		keep(record.c, result);
	return 0;
}

static int take_terminal(int wanted)
{
	static int master;
	int unlocked = 0, number;
	char path[32];

	if (setsid() < 0)
		return errno;
	if (!wanted)
		return 0;
	master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) || ioctl(master, TIOCGPTN, &number))
		return errno;
	snprintf(path, sizeof(path), "/dev/pts/%d", number);
	return CHECKED(open(path, O_RDWR | O_CLOEXEC));
}

static int bind_local(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), result;

	if (strlen(path) >= sizeof(address.sun_path))
		return ENAMETOOLONG;
	strcpy(address.sun_path, path);
	result = CHECKED(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	close(fd);
	return result;
}

static int act(void)
{
	struct sockaddr_storage address;
	const struct record *r = &record;
	socklen_t size;
	int fd;

	switch (r->operation) {
	case OPEN:
		fd = openat(slot(r->d), string[0], r->a | O_CLOEXEC | O_NOCTTY, r->b);
		if (fd < 0)
			return errno;
		keep(r->c, fd);
		return 0;
	case CLOSE:
		fd = slot(r->a);
		slots[r->a] = -1;
		return CHECKED(close(fd));
	case MKDIR:
		return CHECKED(mkdirat(slot(r->d), string[0], r->a));
	case MKNOD:
		return CHECKED(mknodat(slot(r->d), string[0], r->a, makedev(r->b, r->c)));
	case SYMLINK:
		return CHECKED(symlinkat(string[0], slot(r->d), string[1]));
	case LINK:
		return CHECKED(linkat(slot(r->c), string[0], slot(r->d), string[1], r->a));
	case UNLINK:
		return CHECKED(unlinkat(slot(r->d), string[0], r->a));
	case RENAME:
		return CHECKED(syscall(SYS_renameat2, slot(r->c), string[0], slot(r->d), string[1], r->a));
	case TRUNCATE:
		return CHECKED(truncate(string[0], 0));
	case FTRUNCATE:
		return CHECKED(ftruncate(slot(r->a), 0));
	case CHMOD:
		return CHECKED(fchmodat(slot(r->d), string[0], r->a, 0));
	case FCHMOD:
		return CHECKED(fchmod(slot(r->b), r->a));
	case CHOWN:
		return CHECKED(fchownat(slot(r->d), string[0], r->a, r->b, r->c));
	case FCHOWN:
		return CHECKED(fchown(slot(r->c), r->a, r->b));
	case WRITE:
		return write_way(slot(r->a), r->b);
	case BIND_LOCAL:
		return bind_local(string[0]);
	case EXEC:
		return start(r->a, slot(r->d), string[0], (char **)string + 1, false);
	case EXEC_MEMORY:
		return start(0, -1, string[0], (char **)string + 1, true);
	case CHDIR:
		return CHECKED(chdir(string[0]));
	case SOCKET:
		fd = socket(r->a, r->b | SOCK_CLOEXEC | SOCK_NONBLOCK, r->c);
		if (fd < 0)
			return errno;
		keep(r->d, fd);
		return 0;
	case BIND:
		size = loopback(slot(r->a), r->b, &address);
		return CHECKED(bind(slot(r->a), (struct sockaddr *)&address, size));
	case CONNECT:
		size = loopback(slot(r->a), r->b, &address);
		return CHECKED(connect(slot(r->a), (struct sockaddr *)&address, size));
	case LISTEN:
		return CHECKED(listen(slot(r->a), 1));
	case ACCEPT:
		fd = accept4(slot(r->a), NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			return errno;
		close(fd);
		return 0;
	case SEND:
		size = loopback(slot(r->a), r->b, &address);
		return CHECKED(sendto(slot(r->a), "xxxxxxxx", 8, MSG_NOSIGNAL, (struct sockaddr *)&address, size));
	case QUESTION:
		return ask(slot(r->a), r->b, string[0]);
	case CAPABILITY:
		return in_child(use_capability, r->a);
	case TERMINAL:
		return take_terminal(r->a);
	case CHROOT:
		return chroot(string[0]) ? errno : CHECKED(chdir("/"));
	case USER:
		if (setresgid(r->a, r->a, r->a) || setresuid(r->a, r->a, r->a))
			return errno;
		return 0;
	}
	return ENOSYS;
}

static int act_in_child(int unused)
{
	(void)unused;
	return act();
}

/* --- the director --- */

static int make(void)
{
	const struct record *r = &record;
	unsigned char program[256];
	int fd, result = 0;

	switch (r->a) {
	case DIRECTORY:
		result = CHECKED(mkdir(string[0], r->b));
		break;
	case SYMBOLIC:
		result = CHECKED(symlink(string[1], string[0]));
		break;
	case FIFO:
		result = CHECKED(mkfifo(string[0], r->b));
		break;
	case CHARACTER:
		result = CHECKED(mknod(string[0], S_IFCHR | r->b, makedev(r->d >> 8, r->d & 255)));
		break;
	default:
		fd = open(string[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, r->b);
		if (fd < 0)
			return errno;
		if (r->a == PROGRAM)
			result = write_all(fd, program, tiny(program)) ? errno : 0;
		else if (r->a == SELF)
			result = write_all(fd, self, self_size) ? errno : 0;
		else if (r->a == SCRIPT && dprintf(fd, "#!%s\n", string[1]) < 0)
			result = errno;
		close(fd);
	}
	if (!result && lchown(string[0], r->c, r->c))
		result = errno;
	if (!result && r->a != SYMBOLIC && chmod(string[0], r->b))
		result = errno;
	return result;
}

static int remove_tree(int directory, const char *name)
{
	int fd, result = 0;
	char list[4096];
	long bytes;

	if (!unlinkat(directory, name, 0) || errno == ENOENT)
		return 0;
	if (!unlinkat(directory, name, AT_REMOVEDIR))
		return 0;
	fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno;
	while (!result && (bytes = syscall(SYS_getdents64, fd, list, sizeof(list))) > 0) {
		bool more = false;

		for (long at = 0; at < bytes && !result; at += *(unsigned short *)(list + at + 16)) {
			const char *entry = list + at + 19;

			if (!strcmp(entry, ".") || !strcmp(entry, ".."))
				continue;
			result = remove_tree(fd, entry);
			more = true;
		}
		if (more)
			lseek(fd, 0, SEEK_SET);
	}
	close(fd);
	if (!result)
		result = CHECKED(unlinkat(directory, name, AT_REMOVEDIR));
	return result;
}

static int chain(const char *path, const char *name, int count)
{
	if (chdir(path))
		return errno;
	for (int i = 0; i < count; i++)
		if ((mkdir(name, 0777) && errno != EEXIST) || chdir(name))
			return errno;
	return CHECKED(chdir("/"));
}

static int spawn(void)
{
	int ends[2], number = record.a;
	pid_t child;

	if (number <= 0 || number >= ACTORS)
		return EINVAL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return errno;
	for (int end = 0; end < 2; end++)
		if (setsockopt(ends[end], SOL_SOCKET, SO_SNDBUFFORCE, &(int){ 1 << 20 }, sizeof(int)))
			return errno;
	child = fork();
	if (child < 0)
		return errno;
	if (!child) {
		if (record.b && write(cgroup_procs, "0", 1) != 1)
			_exit(1);
		if (dup2(ends[1], 3) < 0)
			_exit(1);
		for (int fd = 4; fd < 1024; fd++)
			close(fd);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(string[0], string[0], "--actor", NULL);
		_exit(1);
	}
	close(ends[1]);
	actors[number] = ends[0];
	return 0;
}

static int direct(void)
{
	const struct record *r = &record;

	switch (r->operation) {
	case SPAWN:
		return spawn();
	case MAKE:
		return make();
	case REMOVE:
		return remove_tree(AT_FDCWD, string[0]);
	case MOUNT:
		return CHECKED(mount(string[0], string[1], string[2], r->a, string[3]));
	case UNMOUNT:
		return CHECKED(umount2(string[0], MNT_DETACH));
	case CHAIN:
		return chain(string[0], string[1], r->a);
	case UMASK:
		umask(r->a);
		return 0;
	}
	return act();
}

/* Hands the record to an actor, with a descriptor when it is RECEIVE; returns the actor's result. */
static int hand_over(int fd)
{
	struct iovec pieces[2] = { { &record, sizeof(record) }, { text, record.size } };
	union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int))]; } control = {};
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };
	int32_t result;

	if (record.operation == RECEIVE) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		*(int *)CMSG_DATA(&control.header) = slot(record.b);
	}
	if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
		return 2000 + errno;
	if (recv(fd, &result, sizeof(result), 0) != sizeof(result))
		return 3000;
	return result;
}

static int actor(int fd)
{
	for (;;) {
		struct iovec pieces[2] = { { &record, sizeof(record) }, { text, sizeof(text) } };
		union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int))]; } control = {};
		struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2, .msg_control = &control,
					  .msg_controllen = sizeof(control) };
		int32_t result;

		if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) <= 0)
			return 0;
		split();
		if (record.operation == RECEIVE) {
			result = message.msg_controllen ? 0 : EBADF;
			if (!result)
				keep(record.a, *(int *)CMSG_DATA(&control.header));
		} else {
			result = record.mark & CHILD ? in_child(act_in_child, 0) : record.mark & RING ? submit() : act();
		}
		if (send(fd, &result, sizeof(result), MSG_NOSIGNAL) < 0)
			return 1;
	}
}

static void enter(const char *root)
{
	struct ifreq interface = { .ifr_name = "lo" };
	int fd;

	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS))
		err(1, "unshare");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("reference", root, "tmpfs", 0, "mode=755"))
		err(1, "%s", root);
	if (chdir(root) || mkdir("proc", 0755) || mkdir("dev", 0755) || mkdir("dev/pts", 0755))
		err(1, "%s", root);
	if (mount("proc", "proc", "proc", 0, NULL) || mount("devpts", "dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0666"))
		err(1, "proc, devpts");
	if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		err(1, "pivot_root");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	interface.ifr_flags = IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &interface))
		err(1, "lo");
	close(fd);
	fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write_all(fd, "0 2147483647", 12))
		err(1, "ping_group_range");
	close(fd);
}

static void read_self(void)
{
	struct stat status;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status))
		err(1, "/proc/self/exe");
	self_size = status.st_size;
	self = mmap(NULL, self_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (self == MAP_FAILED)
		err(1, "mmap");
	close(fd);
}

static bool read_all(void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(0, (char *)data + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += n;
	}
	return true;
}

/* exec again without a fork: the program in between is not the parent. */
static int pass_on(char **arguments)
{
	execv(arguments[0], arguments);
	return errno;
}

int main(int argc, char **argv)
{
	int32_t last = 0, result;

	memset(slots, 0xff, sizeof(slots));
	if (argc > 1 && !strcmp(argv[1], "--actor"))
		return actor(3);
	if (argc > 2 && !strcmp(argv[1], "--exec"))
		return pass_on(argv + 2);
	if (argc > 2 && !strcmp(argv[1], "--fork"))
		return start(0, AT_FDCWD, argv[2], argv + 2, false);
	if (argc != 4 || strcmp(argv[1], "--director")) /* executed as a program of the world */
		return 0;
	argv++;

	memset(actors, 0xff, sizeof(actors));
	cgroup_procs = open(argv[1], O_WRONLY | O_CLOEXEC);
	if (cgroup_procs < 0)
		err(1, "%s", argv[1]);
	read_self();
	enter(argv[2]);
	umask(0);
	while (read_all(&record, sizeof(record))) {
		if (record.size > LONGEST || !read_all(text, record.size))
			errx(1, "a record is cut short");
		split();
		if ((record.when == 1 && last) || (record.when == 2 && !last))
			result = SKIPPED;
		else if (record.actor == 0)
			result = direct();
		else
			result = record.actor < ACTORS ? hand_over(actors[record.actor]) : EINVAL;
		if (record.mark & LAST)
			last = result;
		if (write_all(1, &result, sizeof(result)))
			return 1;
	}
	return 0;
}
