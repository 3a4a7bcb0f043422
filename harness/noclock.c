/*
 * Preloaded into a foreign ntpd, so that a test can run it without its touching the clock of the
 * machine: every call that would set or steer the clock succeeds and changes nothing. What ntpd
 * writes into the kernel's loop is kept and read back to it, since it asks whether it succeeded.
 *
 *     cc -O2 -shared -fPIC -o noclock.so noclock.c
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

/* The state that the program believes the kernel's loop to be in. */
static struct timex believed = { .status = STA_UNSYNC };

static int pretend(struct timex *request)
{
    struct timex kernel = { .modes = 0 };
    unsigned int change = request->modes;

    /* Reading is harmless, and gives precision, tolerance and the time. */
    if (syscall(SYS_adjtimex, &kernel) < 0)
        return -1;
    if (change & ADJ_STATUS)
        believed.status = request->status & ~(STA_PPSSIGNAL | STA_PPSJITTER | STA_PPSWANDER |
                                              STA_PPSERROR | STA_CLOCKERR | STA_CLK);
    if (change & ADJ_FREQUENCY)
        believed.freq = request->freq;
    if (change & ADJ_OFFSET)
        believed.offset = request->offset;
    if (change & ADJ_MAXERROR)
        believed.maxerror = request->maxerror;
    if (change & ADJ_ESTERROR)
        believed.esterror = request->esterror;
    if (change & ADJ_TIMECONST)
        believed.constant = request->constant;
    if (change & ADJ_NANO)
        believed.status |= STA_NANO;
    if (change & ADJ_MICRO)
        believed.status &= ~STA_NANO;

    kernel.status = believed.status;
    kernel.freq = believed.freq;
    kernel.offset = believed.offset;
    kernel.maxerror = believed.maxerror;
    kernel.esterror = believed.esterror;
    kernel.constant = believed.constant;
    *request = kernel;
    return believed.status & STA_UNSYNC ? TIME_ERROR : TIME_OK;
}

int adjtimex(struct timex *request) { return pretend(request); }
int __adjtimex(struct timex *request) { return pretend(request); }
int ntp_adjtime(struct timex *request) { return pretend(request); }

int clock_adjtime(clockid_t clock, struct timex *request)
{
    (void)clock;
    return pretend(request);
}

int adjtime(const struct timeval *delta, struct timeval *left)
{
    (void)delta;
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
