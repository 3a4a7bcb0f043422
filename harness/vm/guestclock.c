/*
 * The clock of a guest, looked at by something that shares no code with the programs under test.
 *
 *   guestclock state                 what adjtimex(2) tells, without changing anything
 *   guestclock watch COUNT MS        the same COUNT times, every MS ms, with the time
 *   guestclock step SECONDS          adds SECONDS to the clock
 *   guestclock serve                 answers the probes of `offset` (UDP port 9123)
 *   guestclock offset ADDRESS        the clock there less the clock here, in seconds: the
 *                                    fastest of 40 probes
 *   guestclock simulate FILE ADDRESS PPM OFFSET [LEAP [silently]]
 *                                    a simulated primary NTP server, alone at the IPv4 address
 *                                    ADDRESS behind a tun device. Its clock is the oscillator
 *                                    that no adjtimex moves, PPM faster, and is OFFSET seconds
 *                                    ahead of the clock here at the start. On the day before the
 *                                    Unix time LEAP it announces that a second will be inserted
 *                                    there (-LEAP: deleted), if not told to do so silently. FILE
 *                                    gets the figures that the next two need.
 *   guestclock shift FILE SECONDS    the clock of the simulated server jumps
 *   guestclock error FILE            the clock here less that of the simulated server, in seconds
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define PROBE_PORT 9123

static void die(const char *what)
{
    fprintf(stderr, "guestclock: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Nanoseconds. */
static int64_t read_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

static void print_timex(int state, const struct timex *timex)
{
    static const struct { int bit; const char *name; } flags[] = {
        {STA_PLL, "PLL"}, {STA_FLL, "FLL"}, {STA_INS, "INS"}, {STA_DEL, "DEL"},
        {STA_UNSYNC, "UNSYNC"}, {STA_FREQHOLD, "FREQHOLD"}, {STA_CLOCKERR, "CLOCKERR"},
        {STA_NANO, "NANO"},
    };
    static const char *const states[] = {"OK", "INS", "DEL", "OOP", "WAIT", "ERROR"};
    printf("state=%s status=", state < 6 ? states[state] : "?");
    const char *comma = "";
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (timex->status & flags[i].bit) {
            printf("%s%s", comma, flags[i].name);
            comma = ",";
        }
    if (!*comma)
        printf("0");
    printf(" frequency=%.4f tick=%ld offset=%ld maxerror=%ld esterror=%ld tai=%d\n",
           timex->freq / 65536.0, timex->tick, timex->offset, timex->maxerror, timex->esterror,
           timex->tai);
}

static void print_state(void)
{
    struct timex timex = {0};
    int state = adjtimex(&timex);
    if (state < 0)
        die("adjtimex");
    print_timex(state, &timex);
}

static void watch(int count, int milliseconds)
{
    while (count-- > 0) {
        /* adjtimex tells time and state in one. */
        struct timex timex = {0};
        int state = adjtimex(&timex);
        long fraction = timex.time.tv_usec / (timex.status & STA_NANO ? 1000000 : 1000);
        printf("time=%ld.%03ld ", timex.time.tv_sec, fraction);
        print_timex(state, &timex);
        fflush(stdout);
        usleep(milliseconds * 1000);
    }
}

static void step(double seconds)
{
    int64_t time = read_clock(CLOCK_REALTIME) + (int64_t)(seconds * SECOND);
    struct timespec to = {time / SECOND, time % SECOND};
    if (clock_settime(CLOCK_REALTIME, &to) != 0)
        die("clock_settime");
}

static int udp_socket(void)
{
    int handle = socket(AF_INET, SOCK_DGRAM, 0);
    if (handle < 0)
        die("socket");
    return handle;
}

static struct sockaddr_in probe_address(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PROBE_PORT)};
    if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
        die(address);
    return to;
}

/* A probe: which it is, and in the answer the time. */
struct probe {
    int64_t number, time;
};

static void serve(void)
{
    int handle = udp_socket();
    struct sockaddr_in here = probe_address("0.0.0.0"), from;
    if (bind(handle, (struct sockaddr *)&here, sizeof here) != 0)
        die("bind");
    for (;;) {
        struct probe probe;
        socklen_t length = sizeof from;
        if (recvfrom(handle, &probe, sizeof probe, 0, (struct sockaddr *)&from, &length)
            != sizeof probe)
            continue;
        probe.time = read_clock(CLOCK_REALTIME);
        sendto(handle, &probe, sizeof probe, 0, (struct sockaddr *)&from, length);
    }
}

static void print_offset(const char *address)
{
    int handle = udp_socket();
    struct sockaddr_in to = probe_address(address);
    struct timeval patience = {.tv_usec = 500000};
    setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(handle, (struct sockaddr *)&to, sizeof to) != 0)
        die("connect");
    int64_t fastest = INT64_MAX, offset = 0;
    for (int64_t number = 0; number < 40; number++) {
        struct probe probe = {.number = number};
        int64_t start = read_clock(CLOCK_MONOTONIC_RAW), here = read_clock(CLOCK_REALTIME);
        if (send(handle, &probe, sizeof probe, 0) != sizeof probe)
            continue;
        /* A late answer to an earlier probe is passed over. */
        while (recv(handle, &probe, sizeof probe, 0) == sizeof probe) {
            int64_t delay = read_clock(CLOCK_MONOTONIC_RAW) - start;
            if (probe.number != number)
                continue;
            if (delay < fastest) {
                fastest = delay;
                offset = probe.time - (here + delay / 2);
            }
            break;
        }
        usleep(5000);
    }
    if (fastest == INT64_MAX) {
        fprintf(stderr, "guestclock: no answer from %s\n", address);
        exit(1);
    }
    printf("%.6f\n", offset / 1e9);
}

/* The clock of the simulated server, as a function of the oscillator. */
struct truth {
    int64_t oscillator, time, leap;
    int silent;
    double ppm;
};

static void write_truth(const char *path, const struct truth *truth)
{
    char whole[200];
    snprintf(whole, sizeof whole, "%s.new", path);
    FILE *file = fopen(whole, "w");
    if (!file)
        die(whole);
    fprintf(file, "%lld %lld %lld %d %.6f\n", (long long)truth->oscillator,
            (long long)truth->time, (long long)truth->leap, truth->silent, truth->ppm);
    if (fclose(file) != 0 || rename(whole, path) != 0)
        die(path);
}

static struct truth read_truth(const char *path)
{
    FILE *file = fopen(path, "r");
    long long oscillator, time, leap;
    int silent;
    double ppm;
    if (!file
        || fscanf(file, "%lld %lld %lld %d %lf", &oscillator, &time, &leap, &silent, &ppm) != 5)
        die(path);
    fclose(file);
    return (struct truth){oscillator, time, leap, silent, ppm};
}

static int64_t true_time(const struct truth *truth)
{
    int64_t elapsed = read_clock(CLOCK_MONOTONIC_RAW) - truth->oscillator;
    int64_t time = truth->time + elapsed + (int64_t)(elapsed * truth->ppm / 1e6);
    int64_t leap = llabs(truth->leap) * SECOND;
    if (truth->leap > 0 && time >= leap)
        return time - SECOND; /* 23:59:59 twice */
    if (truth->leap < 0 && time >= leap - SECOND)
        return time + SECOND; /* no 23:59:59 */
    return time;
}

static int leap_indicator(const struct truth *truth)
{
    /* Said on the day before. */
    int64_t left = llabs(truth->leap) - true_time(truth) / SECOND;
    if (truth->leap == 0 || truth->silent || left <= 0 || left > 86400)
        return 0;
    return truth->leap > 0 ? 1 : 2;
}

static void put_ntp_time(uint8_t *to, int64_t time)
{
    uint32_t seconds = htonl((uint32_t)(time / SECOND + 2208988800LL));
    uint32_t fraction = htonl((uint32_t)(((uint64_t)(time % SECOND) << 32) / SECOND));
    memcpy(to, &seconds, 4);
    memcpy(to + 4, &fraction, 4);
}

static int open_tun(const char *address)
{
    int tun = open("/dev/net/tun", O_RDWR);
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    strcpy(request.ifr_name, "sim0");
    if (tun < 0 || ioctl(tun, TUNSETIFF, &request) != 0)
        die("/dev/net/tun");
    char command[200];
    snprintf(command, sizeof command,
             "ip link set sim0 up && ip addr add 10.98.0.1/32 dev sim0 && "
             "ip route add %s/32 dev sim0", address);
    if (system(command) != 0)
        die(command);
    return tun;
}

/* IPv4 without options, UDP, NTP without extension fields. */
enum { IP = 20, UDP = 8, NTP = 48, PACKET = IP + UDP + NTP };

static int is_request(const uint8_t *packet, ssize_t length)
{
    return length >= PACKET && packet[0] == 0x45 && packet[9] == IPPROTO_UDP
        && packet[22] == 0 && packet[23] == 123 && (packet[IP + UDP] & 7) == 3;
}

static void make_reply(uint8_t *reply, const uint8_t *request, const struct truth *truth,
                       int64_t received)
{
    memset(reply, 0, PACKET);
    reply[0] = 0x45;
    reply[3] = PACKET;
    reply[8] = 64;
    reply[9] = IPPROTO_UDP;
    memcpy(reply + 12, request + 16, 4);
    memcpy(reply + 16, request + 12, 4);
    uint32_t sum = 0;
    for (int i = 0; i < IP; i += 2)
        sum += reply[i] << 8 | reply[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    reply[10] = sum >> 8;
    reply[11] = sum;
    memcpy(reply + 20, request + 22, 2);
    memcpy(reply + 22, request + 20, 2);
    reply[25] = UDP + NTP; /* and no checksum */

    const uint8_t *asked = request + IP + UDP;
    uint8_t *answer = reply + IP + UDP;
    answer[0] = leap_indicator(truth) << 6 | (asked[0] & 0x38) | 4;
    answer[1] = 1;
    answer[2] = asked[2];
    answer[3] = 0xec; /* a microsecond */
    memcpy(answer + 12, "SIM", 4);
    put_ntp_time(answer + 16, received);
    memcpy(answer + 24, asked + 40, 8);
    put_ntp_time(answer + 32, received);
    put_ntp_time(answer + 40, true_time(truth));
}

static void simulate(const char *path, const char *address, struct truth truth)
{
    int tun = open_tun(address);
    truth.oscillator = read_clock(CLOCK_MONOTONIC_RAW);
    truth.time += read_clock(CLOCK_REALTIME);
    write_truth(path, &truth);
    for (;;) {
        uint8_t packet[2048], reply[PACKET];
        ssize_t length = read(tun, packet, sizeof packet);
        truth = read_truth(path);
        int64_t received = true_time(&truth);
        if (length < 0)
            die("tun");
        if (!is_request(packet, length))
            continue;
        make_reply(reply, packet, &truth, received);
        if (write(tun, reply, PACKET) != PACKET)
            die("tun");
    }
}

int main(int count, char **words)
{
    const char *command = count > 1 ? words[1] : "";
    if (!strcmp(command, "state") && count == 2)
        print_state();
    else if (!strcmp(command, "watch") && count == 4)
        watch(atoi(words[2]), atoi(words[3]));
    else if (!strcmp(command, "step") && count == 3)
        step(atof(words[2]));
    else if (!strcmp(command, "serve") && count == 2)
        serve();
    else if (!strcmp(command, "offset") && count == 3)
        print_offset(words[2]);
    else if (!strcmp(command, "simulate") && count >= 6 && count <= 8)
        simulate(words[2], words[3],
                 (struct truth){.time = (int64_t)(atof(words[5]) * SECOND),
                                .ppm = atof(words[4]),
                                .leap = count > 6 ? atoll(words[6]) : 0,
                                .silent = count > 7 && !strcmp(words[7], "silently")});
    else if (!strcmp(command, "shift") && count == 4) {
        struct truth truth = read_truth(words[2]);
        truth.time += (int64_t)(atof(words[3]) * SECOND);
        write_truth(words[2], &truth);
    } else if (!strcmp(command, "error") && count == 3) {
        struct truth truth = read_truth(words[2]);
        printf("%.6f\n", (read_clock(CLOCK_REALTIME) - true_time(&truth)) / 1e9);
    } else {
        fprintf(stderr, "usage: guestclock state|watch|step|serve|offset|simulate|shift|error ...\n");
        return 2;
    }
    return 0;
}
