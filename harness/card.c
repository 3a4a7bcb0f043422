/*
 * Preloaded into our own daemon: the interface CARD_INTERFACE has a card that stamps packets, which
 * this library makes up. No machine that tests run on has one.
 *
 *     cc -O2 -Wall -shared -fPIC -o card.so card.c -ldl
 *
 * The card's clock is 37 s ahead of the kernel's and gains 20 ppm. A packet comes to the card 5 ms
 * before the kernel sees it, and leaves the card 1 ms after; the stamp comes 1 ms after that. What
 * the daemon asks of the card is noted, a line each, in the file CARD_NOTES:
 *
 *     stamp DEPARTURES FILTER     it is to stamp packets
 *     compare                     its clock and the kernel's were read
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <linux/errqueue.h>
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <linux/ptp_clock.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum { NUMBER = 7 };
static const char DEVICE[] = "/dev/ptp7";
static const long long SECOND = 1000000000;
static int device = -1;

static void note(const char *format, ...)
{
	const char *path = getenv("CARD_NOTES");
	char line[128];
	va_list arguments;
	int length, file;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	file = path ? REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
	if (file >= 0 && length > 0 && write(file, line, length) < 0)
		abort();
	if (file >= 0)
		close(file);
}

static long long real(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

/* What the card's clock shows at a time of the kernel's. */
static long long by_card(long long kernel)
{
	static long long start;

	if (!start)
		start = kernel;
	return kernel + 37 * SECOND + (kernel - start) / 50000;
}

/* --- the device of the clock --- */

static int open_file(const char *path, int flags, mode_t mode)
{
	if (strcmp(path, DEVICE) != 0)
		return REAL(open64)(path, flags, mode);
	device = REAL(open64)("/dev/null", flags, mode);
	return device;
}

int open(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = va_arg(arguments, mode_t);
	va_end(arguments);
	return open_file(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = va_arg(arguments, mode_t);
	va_end(arguments);
	return open_file(path, flags, mode);
}

static void tell(struct ptp_clock_time *to, long long time)
{
	to->sec = time / SECOND;
	to->nsec = time % SECOND;
}

static int ask_clock(unsigned long request, void *data)
{
	struct ptp_sys_offset_extended *compared = data;
	unsigned i;

	if (request != PTP_SYS_OFFSET_EXTENDED) {
		errno = EOPNOTSUPP;
		return -1;
	}
	for (i = 0; i < compared->n_samples && i < PTP_MAX_SAMPLES; i++) {
		tell(&compared->ts[i][0], real());
		tell(&compared->ts[i][1], by_card(real()));
		tell(&compared->ts[i][2], real());
	}
	note("compare\n");
	return 0;
}

/* --- the interface --- */

static int ask_interface(unsigned long request, struct ifreq *asked)
{
	struct ethtool_ts_info *info = (void *)asked->ifr_data;
	struct hwtstamp_config *config = (void *)asked->ifr_data;

	if (request == SIOCETHTOOL && info->cmd == ETHTOOL_GET_TS_INFO) {
		info->phc_index = NUMBER;
		info->tx_types = 1 << HWTSTAMP_TX_OFF | 1 << HWTSTAMP_TX_ON;
		info->rx_filters = 1 << HWTSTAMP_FILTER_NONE | 1 << HWTSTAMP_FILTER_ALL;
		return 0;
	}
	if (request == SIOCGHWTSTAMP) {
		memset(config, 0, sizeof *config);
		return 0;
	}
	if (request == SIOCSHWTSTAMP) {
		note("stamp %d %d\n", config->tx_type, config->rx_filter);
		return 0;
	}
	errno = EOPNOTSUPP;
	return -1;
}

int ioctl(int descriptor, unsigned long request, ...)
{
	const char *interface = getenv("CARD_INTERFACE");
	va_list arguments;
	void *data;

	va_start(arguments, request);
	data = va_arg(arguments, void *);
	va_end(arguments);
	if (descriptor >= 0 && descriptor == device)
		return ask_clock(request, data);
	if ((request == SIOCETHTOOL || request == SIOCGHWTSTAMP || request == SIOCSHWTSTAMP) &&
	    interface && strcmp(((struct ifreq *)data)->ifr_name, interface) == 0)
		return ask_interface(request, data);
	return REAL(ioctl)(descriptor, request, data);
}

/* --- packets --- */

static void stamp(struct msghdr *header, int has_left)
{
	struct cmsghdr *control;

	for (control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
		struct scm_timestamping *times = (void *)CMSG_DATA(control);
		long long kernel, card;

		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_TIMESTAMPING)
			continue;
		kernel = times->ts[0].tv_sec * SECOND + times->ts[0].tv_nsec;
		card = by_card(kernel + (has_left ? 1000000 : -5000000));
		times->ts[2].tv_sec = card / SECOND;
		times->ts[2].tv_nsec = card % SECOND;
		/* Of what leaves there is the one or the other. */
		if (has_left)
			memset(&times->ts[0], 0, sizeof times->ts[0]);
	}
}

int recvmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags,
	     struct timespec *timeout)
{
	int received = REAL(recvmmsg)(descriptor, messages, count, flags, timeout);
	int i;

	if (received > 0 && flags & MSG_ERRQUEUE)
		usleep(2000);
	for (i = 0; i < received; i++)
		stamp(&messages[i].msg_hdr, flags & MSG_ERRQUEUE);
	return received;
}
