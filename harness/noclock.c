/*
 * Preloaded into a foreign time daemon under test: it may set the clock as it pleases, and the
 * machine's clock stays as it is.
 *
 *     cc -O2 -Wall -shared -fPIC -o noclock.so noclock.c
 *
 * Every call of the C library that sets or steers the clock says that it succeeded and asks the
 * kernel for nothing. What the daemon told adjtimex is kept and told back to it, since ntpd reads
 * there whether the kernel calls itself synchronised. Reading the time is left alone.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

/* The bits of the status word that a program may set. */
#define WRITABLE                                                                                   \
	(STA_PLL | STA_PPSFREQ | STA_PPSTIME | STA_FLL | STA_INS | STA_DEL | STA_UNSYNC |          \
	 STA_FREQHOLD)

/* What a kernel says of itself after it has started, as far as daemons look. */
static struct timex kernel = {
	.status = STA_UNSYNC,
	.maxerror = 16000000,
	.esterror = 16000000,
	.constant = 2,
	.precision = 1,
	.tolerance = 500 << 16,
	.tick = 10000,
};

static void tell_time(struct timex *reply)
{
	struct timespec now = { 0, 0 };

	clock_gettime(CLOCK_REALTIME, &now);
	reply->time.tv_sec = now.tv_sec;
	reply->time.tv_usec = (reply->status & STA_NANO) ? now.tv_nsec : now.tv_nsec / 1000;
}

static int pretend(struct timex *asked)
{
	const unsigned int modes = asked->modes;
	const int nano = modes & (ADJ_NANO | ADJ_MICRO);
	/* adjtime() in other clothes: it sets an offset and nothing else. */
	const int single = (modes & ADJ_OFFSET_SINGLESHOT) == ADJ_OFFSET_SINGLESHOT;

	if (!single) {
		if (modes & ADJ_STATUS)
			kernel.status = (kernel.status & ~WRITABLE) | (asked->status & WRITABLE);
		if (nano == ADJ_NANO)
			kernel.status |= STA_NANO;
		if (nano == ADJ_MICRO)
			kernel.status &= ~STA_NANO;
		if (modes & ADJ_FREQUENCY)
			kernel.freq = asked->freq;
		if (modes & ADJ_MAXERROR)
			kernel.maxerror = asked->maxerror;
		if (modes & ADJ_ESTERROR)
			kernel.esterror = asked->esterror;
		if (modes & ADJ_TIMECONST)
			kernel.constant = asked->constant;
		if (modes & ADJ_TICK)
			kernel.tick = asked->tick;
		if (modes & ADJ_TAI)
			kernel.tai = (int)asked->constant;
	}
	/* Offsets are taken and forgotten: nothing is ever left to correct. */
	memcpy(asked, &kernel, sizeof *asked);
	asked->modes = modes;
	tell_time(asked);
	return (kernel.status & STA_UNSYNC) ? TIME_ERROR : TIME_OK;
}

int adjtimex(struct timex *asked)
{
	return pretend(asked);
}

int __adjtimex(struct timex *asked)
{
	return pretend(asked);
}

int ntp_adjtime(struct timex *asked)
{
	return pretend(asked);
}

int clock_adjtime(clockid_t clock, struct timex *asked)
{
	(void)clock;
	return pretend(asked);
}

int adjtime(const struct timeval *wanted, struct timeval *left)
{
	(void)wanted;
	if (left)
		memset(left, 0, sizeof *left);
	return 0;
}

int settimeofday(const struct timeval *time, const struct timezone *zone)
{
	(void)time;
	(void)zone;
	return 0;
}

int clock_settime(clockid_t clock, const struct timespec *time)
{
	(void)clock;
	(void)time;
	return 0;
}

int stime(const time_t *time)
{
	(void)time;
	return 0;
}
