/*
 * Preloaded into our own daemon: it lives on a clock that this library makes up, and the machine's
 * stays out of it. It is to clocks what a simulator that interposes the C library is, as small as
 * a test can have it.
 *
 *     cc -O2 -Wall -shared -fPIC -o simclock.so simclock.c -ldl
 *
 * The clock starts SIMCLOCK_AHEAD seconds ahead of the machine's. It can be set and steered by every
 * call of the C library that does so, and no such call is passed on. What was called is noted, a
 * line each, in the file SIMCLOCK_NOTES:
 *
 *     step SECONDS        the clock was moved by so much
 *     rate PPM AHEAD      it was told to run at this rate, while so many seconds ahead
 *     waits DESCRIPTOR    the event loop waits for something that is no datagram socket
 *     reads ADDRESS       a datagram was asked for, at the socket bound to this address
 *     syscall NUMBER      a system call was made by its number, past the functions of the library
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void note(const char *format, ...)
{
	static int file = -1;
	char line[128];
	const char *path = getenv("SIMCLOCK_NOTES");
	va_list arguments;
	int length;

	if (file < 0 && path)
		file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	va_start(arguments, format);
	length = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	if (file >= 0 && length > 0 && write(file, line, length) < 0)
		abort();
}

/* --- the clock --- */

static struct timex kernel = {
	.status = STA_UNSYNC,
	.maxerror = 16000000,
	.esterror = 16000000,
	.constant = 2,
	.precision = 1,
	.tolerance = 500 << 16,
	.tick = 10000,
};

/* Ahead of the machine's clock, in seconds, when its monotonic clock showed `since`. */
static double ahead, since;
static int started;

static double machine(clockid_t clock)
{
	struct timespec now;

	REAL(clock_gettime)(clock, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static double rate(void)
{
	return (kernel.tick - 10000) / 1e4 + kernel.freq / 65536e6;
}

/* Brings `ahead` up to now. */
static void catch_up(void)
{
	const double now = machine(CLOCK_MONOTONIC);
	const char *start = getenv("SIMCLOCK_AHEAD");

	if (started)
		ahead += (now - since) * rate();
	else
		ahead = start ? atof(start) : 0;
	started = 1;
	since = now;
}

int clock_gettime(clockid_t clock, struct timespec *reply)
{
	const int result = REAL(clock_gettime)(clock, reply);
	long long nanoseconds;

	if (result != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
		return result;
	catch_up();
	nanoseconds = reply->tv_nsec + (long long)(ahead * 1e9);
	reply->tv_sec += nanoseconds / 1000000000;
	reply->tv_nsec = nanoseconds % 1000000000;
	if (reply->tv_nsec < 0) {
		reply->tv_nsec += 1000000000;
		reply->tv_sec -= 1;
	}
	return 0;
}

int gettimeofday(struct timeval *reply, void *zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	reply->tv_sec = now.tv_sec;
	reply->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *reply)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (reply)
		*reply = now.tv_sec;
	return now.tv_sec;
}

static void step(double by)
{
	catch_up();
	ahead += by;
	note("step %.6f\n", by);
}

int clock_settime(clockid_t clock, const struct timespec *wanted)
{
	struct timespec now;

	if (clock != CLOCK_REALTIME) {
		errno = EINVAL;
		return -1;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	step(wanted->tv_sec - now.tv_sec + (wanted->tv_nsec - now.tv_nsec) / 1e9);
	return 0;
}

int settimeofday(const struct timeval *wanted, const struct timezone *zone)
{
	const struct timespec time = { wanted->tv_sec, wanted->tv_usec * 1000 };

	(void)zone;
	return clock_settime(CLOCK_REALTIME, &time);
}

static int steer(struct timex *asked)
{
	const unsigned int modes = asked->modes;
	const int single = (modes & ADJ_OFFSET_SINGLESHOT) == ADJ_OFFSET_SINGLESHOT;

	catch_up();
	if (!single) {
		if (modes & ADJ_STATUS)
			kernel.status = asked->status & 0xff;
		if (modes & ADJ_FREQUENCY)
			kernel.freq = asked->freq;
		if (modes & ADJ_TICK)
			kernel.tick = asked->tick;
		if (modes & ADJ_MAXERROR)
			kernel.maxerror = asked->maxerror;
		if (modes & ADJ_ESTERROR)
			kernel.esterror = asked->esterror;
		if (modes & (ADJ_FREQUENCY | ADJ_TICK))
			note("rate %.6f %.6f\n", rate() * 1e6, ahead);
		if (modes & ADJ_SETOFFSET)
			step(asked->time.tv_sec +
			     asked->time.tv_usec / ((modes & ADJ_NANO) ? 1e9 : 1e6));
	}
	memcpy(asked, &kernel, sizeof *asked);
	asked->modes = modes;
	return (kernel.status & STA_UNSYNC) ? TIME_ERROR : TIME_OK;
}

int adjtimex(struct timex *asked)
{
	return steer(asked);
}

int __adjtimex(struct timex *asked)
{
	return steer(asked);
}

int ntp_adjtime(struct timex *asked)
{
	return steer(asked);
}

int clock_adjtime(clockid_t clock, struct timex *asked)
{
	if (clock != CLOCK_REALTIME) {
		errno = EINVAL;
		return -1;
	}
	return steer(asked);
}

int adjtime(const struct timeval *wanted, struct timeval *left)
{
	(void)wanted;
	if (left)
		memset(left, 0, sizeof *left);
	return 0;
}

/* --- what is only noted --- */

int epoll_ctl(int epoll, int operation, int descriptor, struct epoll_event *event)
{
	int type = 0;
	socklen_t length = sizeof type;

	if (operation == EPOLL_CTL_ADD &&
	    (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) != 0 ||
	     type != SOCK_DGRAM))
		note("waits %d\n", descriptor);
	return REAL(epoll_ctl)(epoll, operation, descriptor, event);
}

static void note_read(int descriptor)
{
	struct sockaddr_in address;
	socklen_t length = sizeof address;
	char text[INET_ADDRSTRLEN] = "?";

	memset(&address, 0, sizeof address);
	if (getsockname(descriptor, (struct sockaddr *)&address, &length) == 0 &&
	    address.sin_family == AF_INET)
		inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
	note("reads %s\n", text);
}

ssize_t recvfrom(int descriptor, void *data, size_t size, int flags, struct sockaddr *from,
		 socklen_t *length)
{
	note_read(descriptor);
	return REAL(recvfrom)(descriptor, data, size, flags, from, length);
}

ssize_t recvmsg(int descriptor, struct msghdr *message, int flags)
{
	note_read(descriptor);
	return REAL(recvmsg)(descriptor, message, flags);
}

int recvmmsg(int descriptor, struct mmsghdr *messages, unsigned int count, int flags,
	     struct timespec *patience)
{
	note_read(descriptor);
	return REAL(recvmmsg)(descriptor, messages, count, flags, patience);
}

long syscall(long number, ...)
{
	va_list arguments;
	long a[6];
	int i;

	va_start(arguments, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(arguments, long);
	va_end(arguments);
	/* Random numbers are nobody's clock and nobody's socket. */
	if (number != SYS_getrandom)
		note("syscall %ld\n", number);
	return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
