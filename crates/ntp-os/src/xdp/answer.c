/*
 * Answers plain NTP requests where the network card's driver hands them over, and passes on
 * whatever it is not sure of: to pass is never wrong, for the daemon's sockets get it then.
 *
 * Needs no header files. A map is named by its number in the upper half of MAP_MARK; the loader
 * puts the map's descriptor there. So there is nothing to link, and the instructions are all that
 * is shipped (answer.bin). Functions are inlined, loops unrolled: one section, no calls.
 *
 * Built by clang 14 as tests/rebuild.rs says, which compares the result with answer.bin.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;

#define inline_always static inline __attribute__((always_inline))
#define likely(x) __builtin_expect(!!(x), 1)

enum { XDP_DROP = 1, XDP_PASS = 2, XDP_TX = 3 };

/* The context, as the kernel defines it. */
struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

/* Helper functions go by number. */
static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static long (*const map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u64 (*const monotonic)(void) = (void *)5;
static u32 (*const processor)(void) = (void *)8;

#define MAP_(number) ({ void *map; asm volatile("%0 = 0x6e7470" #number "00000000 ll" : "=r"(map)); map; })
#define STATE MAP_(00)
#define COUNTS MAP_(01)
#define OURS MAP_(02)
#define SOURCES4 MAP_(03)
#define SOURCES6 MAP_(04)
#define LIMITS MAP_(05)
#define CLIENTS MAP_(06)

/* What the daemon says of its clock. */
struct moment {
	u64 valid_until;   /* ns of the monotonic clock; from then on nothing is answered */
	u64 monotonic;     /* at so many ns of the monotonic clock ... */
	u64 wall;          /* ... it was this time, seconds since 1900 and fractions of 2^-32 */
	u32 rate;          /* fractions gained each ns, times 2^29 */
	u32 headway;       /* of rate limits: an average of so many seconds between requests */
	u32 minimum;       /* and at least so many */
	u16 port;          /* ours, as on the wire */
	u16 unused;
	u32 header[6];     /* the first half of a reply to version 4, as on the wire */
};

/* Moments are written in turn, and `current` last: nobody reads the one that is being written. */
struct state {
	u64 current;
	u64 unused[7];
	struct moment moments[4];
};

struct counts {
	u64 this_version, older_version, answered, limited, kisses, unused[3];
};

struct ours { u32 interface; u32 address[4]; };
struct source4 { u32 length; u32 address; };
struct source6 { u32 length; u32 address[4]; };

/* What a source may have, by its port: anything, or from port 123. */
enum { UP = 0, ANSWERED = 1, LIMITED = 2, LIMITED_KISSED = 3 };
struct treatment { u8 any_port, ntp_port, unused[2]; };

/* Of those who are limited. */
struct limit { u64 last; s32 bucket; u32 unused; };

/* Of everybody, since the daemon has last asked, which leaves it out then. */
struct client {
	u64 first, last;   /* ns of the monotonic clock */
	u32 count;
	u16 port;          /* of the last request, and all that follows; as on the wire */
	u8 version, outcome;
	u32 asked[4];
};

struct ethernet { u16 to[3], from[3], type; };
struct ipv4 { u8 version, service; u16 length, id, fragment; u8 hops, protocol; u16 checksum; u32 from, to; };
struct ipv6 { u32 first; u16 length; u8 protocol, hops; u32 from[4], to[4]; };
struct udp { u16 from, to, length, checksum; };
struct ntp { u32 word[12]; };

#define WIRE16(x) ((u16)__builtin_bswap16(x))
#define WIRE32(x) ((u32)__builtin_bswap32(x))
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the shipped program is for processors with the low octet first"
#endif

#define ETHERNET_IPV4 WIRE16(0x0800)
#define ETHERNET_IPV6 WIRE16(0x86dd)
#define UDP 17
#define UDP_LENGTH (sizeof(struct udp) + sizeof(struct ntp))
#define HOPS 64
/* Expedited forwarding, as the daemon's sockets. */
#define SERVICE 0xb8

/* The Internet checksum is the same in either order of octets, and may be summed in words. */
inline_always u64 sum(const u32 *words, int count)
{
	u64 total = 0;
#pragma unroll
	for (int i = 0; i < count; i++)
		total += words[i];
	return total;
}

inline_always u16 fold(u64 total)
{
	total = (total & 0xffffffff) + (total >> 32);
	total = (total & 0xffff) + ((total >> 16) & 0xffff) + (total >> 32);
	total = (total & 0xffff) + (total >> 16);
	total = (total & 0xffff) + (total >> 16);
	return total;
}

/*
 * Whether the checksum is right, or not made yet, as between virtual machines and namespaces, or
 * none, which only IPv4 allows; over IPv6 that was looked at before.
 */
inline_always int is_intact(const struct udp *udp, const struct ntp *ntp, u64 pseudo)
{
	u16 whole = fold(pseudo + sum((const u32 *)udp, 2) + sum(ntp->word, 12));
	return whole == 0xffff || udp->checksum == fold(pseudo) || udp->checksum == 0;
}

/* As ntp-restrict's RateLimit::account(): those 8 headways of the bucket, and its graces. */
inline_always int admit(const struct moment *moment, const u32 *address, u64 now, u8 treatment)
{
	struct limit *limit = map_lookup(LIMITS, address);
	if (!limit) {
		struct limit fresh = { .last = now };
		map_update(LIMITS, address, &fresh, 0);
		return ANSWERED;
	}
	u64 interval = now > limit->last ? now - limit->last : 0;
	u64 seconds = (interval + 500000000) / 1000000000;
	s32 headway = moment->headway, most = 8 * headway;
	limit->last = now;
	s32 gone = seconds > 0x7fffffff ? 0x7fffffff : (s32)seconds;
	s32 drained = limit->bucket > gone ? limit->bucket - gone : 0;
	s32 filled = drained + headway;
	if (seconds + 1 >= moment->minimum && filled < most) {
		limit->bucket = filled - 2;
		return ANSWERED;
	}
	if (drained < most) {
		limit->bucket = most + headway;
		return treatment;
	}
	limit->bucket = drained;
	return LIMITED;
}

inline_always void remember(const u32 *from, const u32 *asked, u64 now, u16 port, u8 version,
			    u8 outcome)
{
	struct client *known = map_lookup(CLIENTS, from);
	if (!known) {
		struct client fresh = {
			now, now, 1, port, version, outcome,
			{ asked[0], asked[1], asked[2], asked[3] },
		};
		map_update(CLIENTS, from, &fresh, 0);
		return;
	}
	known->last = now;
	known->count++;
	known->port = port;
	known->version = version;
	known->outcome = outcome;
#pragma unroll
	for (int i = 0; i < 4; i++)
		known->asked[i] = asked[i];
}

/* The reply in place of the request: what it is, UP if there is none. */
inline_always int answer(struct udp *udp, struct ntp *ntp, const u32 *from, const u32 *asked,
			 u64 pseudo, const struct treatment *treatments)
{
	u32 zero = 0;
	u64 now = monotonic();
	if (!treatments)
		return XDP_PASS;
	u8 treatment = udp->from == WIRE16(123) ? treatments->ntp_port : treatments->any_port;
	if (treatment == UP)
		return XDP_PASS;
	struct state *state = map_lookup(STATE, &zero);
	if (!state)
		return XDP_PASS;
	const struct moment *moment = &state->moments[state->current & 3];
	u64 since = now - moment->monotonic;
	/* The first also says that a moment before the daemon's is none of ours. */
	if (since >> 32 || now >= moment->valid_until || udp->to != moment->port || udp->from == 0)
		return XDP_PASS;
	u32 first = ntp->word[0];
	u32 version = first >> 3 & 7;
	if ((first & 7) != 3 || version < 1 || version > 4)
		return XDP_PASS;
	if (udp->length != WIRE16(UDP_LENGTH) || !is_intact(udp, ntp, pseudo))
		return XDP_PASS;

	/* From here on the daemon never sees it. */
	u32 which = processor();
	struct counts *counts = map_lookup(COUNTS, &which);
	if (!counts)
		return XDP_PASS;
	u32 admitted = ANSWERED;
	if (treatment != ANSWERED)
		admitted = admit(moment, from, now, treatment);
	remember(from, asked, now, udp->from, version, admitted);
	if (version == 4)
		counts->this_version++;
	else
		counts->older_version++;
	if (admitted == LIMITED) {
		counts->limited++;
		return XDP_DROP;
	}
	counts->answered++;

	u64 time = moment->wall + ((since * moment->rate) >> 29);
	u32 seconds = WIRE32((u32)(time >> 32)), fraction = WIRE32((u32)time);
	u32 origin[2] = { ntp->word[10], ntp->word[11] };
	/* Leap, stratum and precision are the daemon's, version and poll interval the client's. */
	u32 head = (moment->header[0] & 0xff00ffc7) | (first & 0x00ff0038);
	if (admitted == LIMITED_KISSED) {
		counts->kisses++;
		/* Leap 3, stratum 0, "RATE", and no time but what the client knows. */
		head = (head & 0xffff003f) | 0xc0;
		ntp->word[3] = WIRE32(0x52415445);
		seconds = origin[0];
		fraction = origin[1];
	} else {
		ntp->word[3] = moment->header[3];
	}
	ntp->word[0] = head;
	ntp->word[1] = moment->header[1];
	ntp->word[2] = moment->header[2];
	ntp->word[4] = moment->header[4];
	ntp->word[5] = moment->header[5];
	ntp->word[6] = origin[0];
	ntp->word[7] = origin[1];
	ntp->word[8] = ntp->word[10] = seconds;
	ntp->word[9] = ntp->word[11] = fraction;

	u16 port = udp->from;
	udp->from = udp->to;
	udp->to = port;
	udp->checksum = 0;
	u16 checksum = ~fold(pseudo + sum((const u32 *)udp, 2) + sum(ntp->word, 12));
	udp->checksum = checksum ? checksum : 0xffff;
	return XDP_TX;
}

inline_always void turn(struct ethernet *frame)
{
#pragma unroll
	for (int i = 0; i < 3; i++) {
		u16 to = frame->to[i];
		frame->to[i] = frame->from[i];
		frame->from[i] = to;
	}
}

/* In two comparisons, of which the compiler must not make one: the verifier learns from the first. */
inline_always int ends_at(void *after, void *end)
{
	if (after > end)
		return 0;
	asm volatile("" : "+r"(end));
	return after >= end;
}

inline_always int over_ipv4(struct xdp_md *context, struct ethernet *frame, void *end)
{
	struct ipv4 *ip = (void *)(frame + 1);
	struct udp *udp = (void *)(ip + 1);
	struct ntp *ntp = (void *)(udp + 1);
	/* Exactly: what is longer has a MAC, extension fields or a trailer. */
	if (!ends_at(ntp + 1, end))
		return XDP_PASS;
	if (ip->version != 0x45 || ip->protocol != UDP ||
	    ip->length != WIRE16(sizeof(*ip) + UDP_LENGTH) || (ip->fragment & ~WIRE16(0x4000)) ||
	    fold(sum((const u32 *)ip, 5)) != 0xffff)
		return XDP_PASS;
	/* This network, this host, and what is not one host's. */
	u8 net = ip->from & 0xff;
	if (net == 0 || net == 127 || net >= 224)
		return XDP_PASS;
	struct ours ours = { context->ingress_ifindex, { 0, 0, 0xffff0000, ip->to } };
	if (!map_lookup(OURS, &ours))
		return XDP_PASS;
	struct source4 source = { 32, ip->from };
	u32 from[4] = { 0, 0, 0xffff0000, ip->from };
	u64 pseudo = (u64)ip->from + ip->to + WIRE16(UDP) + WIRE16(UDP_LENGTH);
	int verdict = answer(udp, ntp, from, ours.address, pseudo, map_lookup(SOURCES4, &source));
	if (verdict != XDP_TX)
		return verdict;
	u32 asked = ip->to;
	ip->to = ip->from;
	ip->from = asked;
	ip->service = SERVICE;
	ip->id = 0;
	ip->fragment = WIRE16(0x4000);
	ip->hops = HOPS;
	ip->checksum = 0;
	ip->checksum = ~fold(sum((const u32 *)ip, 5));
	turn(frame);
	return XDP_TX;
}

inline_always int over_ipv6(struct xdp_md *context, struct ethernet *frame, void *end)
{
	struct ipv6 *ip = (void *)(frame + 1);
	struct udp *udp = (void *)(ip + 1);
	struct ntp *ntp = (void *)(udp + 1);
	if (!ends_at(ntp + 1, end))
		return XDP_PASS;
	if ((ip->first & 0xf0) != 0x60 || ip->protocol != UDP ||
	    ip->length != WIRE16(UDP_LENGTH) || udp->checksum == 0)
		return XDP_PASS;
	/* ::, ::1, IPv4 in disguise, multicast, and addresses of the link, which need its name. */
	u32 head = ip->from[0] & WIRE32(0xffc00000);
	if ((ip->from[0] == 0 && ip->from[1] == 0) || (ip->from[0] & 0xff) == 0xff ||
	    head == WIRE32(0xfe800000))
		return XDP_PASS;
	struct ours ours = { context->ingress_ifindex,
			     { ip->to[0], ip->to[1], ip->to[2], ip->to[3] } };
	if (!map_lookup(OURS, &ours))
		return XDP_PASS;
	struct source6 source = { 128, { ip->from[0], ip->from[1], ip->from[2], ip->from[3] } };
	u64 pseudo = sum(ip->from, 4) + sum(ip->to, 4) + WIRE16(UDP) + WIRE16(UDP_LENGTH);
	int verdict = answer(udp, ntp, source.address, ours.address, pseudo, map_lookup(SOURCES6, &source));
	if (verdict != XDP_TX)
		return verdict;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		u32 asked = ip->to[i];
		ip->to[i] = source.address[i];
		ip->from[i] = asked;
	}
	ip->first = WIRE32(0x60000000 | SERVICE << 20);
	ip->hops = HOPS;
	turn(frame);
	return XDP_TX;
}

__attribute__((section("xdp"), used)) int answer_plain_requests(struct xdp_md *context)
{
	void *end = (void *)(u64)context->data_end;
	struct ethernet *frame = (void *)(u64)context->data;
	if ((void *)(frame + 1) > end || (frame->to[0] & 1) || (frame->from[0] & 1))
		return XDP_PASS;
	if (likely(frame->type == ETHERNET_IPV4))
		return over_ipv4(context, frame, end);
	if (frame->type == ETHERNET_IPV6)
		return over_ipv6(context, frame, end);
	return XDP_PASS;
}
