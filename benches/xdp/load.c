/*
 * Offers a server plain requests from many addresses, at a rate that does not depend on the
 * answers (open loop), and throws the answers away where they arrive. compare.py runs it.
 *
 *   load INTERFACE SERVER_MAC OWN_MAC SERVER_ADDRESS REQUESTS_PER_SECOND MILLISECONDS SOURCES
 *
 * Prints how many requests were sent. Whoever counts the answers reads the interface's counters.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32, FRAME = 90 };

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void hardware_address(const char *text, uint8_t *to)
{
	unsigned a[6];
	if (sscanf(text, "%x:%x:%x:%x:%x:%x", a, a + 1, a + 2, a + 3, a + 4, a + 5) != 6)
		fail(text);
	for (int i = 0; i < 6; i++)
		to[i] = a[i];
}

/* A program of two instructions: all that comes in is dropped. */
static void drop_what_comes(unsigned interface)
{
	static const uint64_t code[2] = { 0x1000000b7, 0x95 };
	union bpf_attr attributes;
	memset(&attributes, 0, sizeof(attributes));
	attributes.prog_type = BPF_PROG_TYPE_XDP;
	attributes.insns = (uintptr_t)code;
	attributes.insn_cnt = 2;
	attributes.license = (uintptr_t) "MIT";
	int program = syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes));
	if (program < 0)
		fail("BPF_PROG_LOAD");
	memset(&attributes, 0, sizeof(attributes));
	attributes.link_create.prog_fd = program;
	attributes.link_create.target_ifindex = interface;
	attributes.link_create.attach_type = BPF_XDP;
	/* It stays until this process ends. */
	if (syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes)) < 0)
		fail("BPF_LINK_CREATE");
}

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static uint16_t checksum(const uint8_t *header)
{
	uint32_t total = 0;
	for (int i = 0; i < 20; i += 2)
		total += header[i] << 8 | header[i + 1];
	total = (total & 0xffff) + (total >> 16);
	return ~((total & 0xffff) + (total >> 16));
}

int main(int count, char **arguments)
{
	static uint8_t frames[BATCH][FRAME];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH] = { 0 };
	if (count != 8)
		return 2;
	unsigned interface = if_nametoindex(arguments[1]);
	if (!interface)
		fail(arguments[1]);
	drop_what_comes(interface);
	int sender = socket(AF_PACKET, SOCK_RAW, 0), on = 1;
	struct sockaddr_ll here = { .sll_family = AF_PACKET, .sll_ifindex = interface };
	if (sender < 0 || bind(sender, (struct sockaddr *)&here, sizeof(here)))
		fail("socket");
	if (setsockopt(sender, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)))
		fail("PACKET_QDISC_BYPASS");
	double rate = atof(arguments[5]);
	uint64_t length = atoll(arguments[6]) * 1000000ull;
	uint32_t sources = atoi(arguments[7]), source = 0;
	for (int i = 0; i < BATCH; i++) {
		uint8_t *ip = frames[i] + 14, *udp = ip + 20, *ntp = udp + 8;
		hardware_address(arguments[2], frames[i]);
		hardware_address(arguments[3], frames[i] + 6);
		frames[i][12] = 8;
		memcpy(ip, (uint8_t[]){ 0x45, 0, 0, 76, 0, 0, 0x40, 0, 64, 17 }, 10);
		if (inet_pton(AF_INET, arguments[4], ip + 16) != 1)
			fail(arguments[4]);
		/* No checksum, as IPv4 allows. */
		memcpy(udp, (uint8_t[]){ 0x9c, 0x40, 0, 123, 0, 56 }, 6);
		ntp[0] = 0x23;
		parts[i] = (struct iovec){ frames[i], FRAME };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	/* Time to pin the thread that the interface has got. */
	usleep(500000);
	uint64_t start = now(), sent = 0, time;
	while ((time = now() - start) < length) {
		if (sent + BATCH > time * rate * 1e-9)
			continue;
		for (int i = 0; i < BATCH; i++) {
			uint8_t *ip = frames[i] + 14;
			uint32_t address = htonl(0x0a800000 + source);
			source = (source + 1) % sources;
			memcpy(ip + 12, &address, 4);
			ip[10] = ip[11] = 0;
			uint16_t sum = htons(checksum(ip));
			memcpy(ip + 10, &sum, 2);
			memcpy(ip + 28 + 40, &sent, 8);
		}
		int done = sendmmsg(sender, messages, BATCH, 0);
		if (done < 0 && errno != ENOBUFS && errno != EAGAIN)
			fail("sendmmsg");
		sent += done > 0 ? done : 0;
	}
	printf("%llu\n", (unsigned long long)sent);
	/* What is under way arrives. */
	usleep(50000);
	return 0;
}
