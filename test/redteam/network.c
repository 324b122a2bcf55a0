/*
 * Where a pod must not reach: the cloud's metadata, the provider's network, the host and the pods beside it; and what it
 * must not do to its own network. A target counts as reached only when it answers, so the test puts something there.
 */
#define _GNU_SOURCE
#include "redteam.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 1000
#define SCAN_MAX 1000

typedef struct {
  struct sockaddr_storage at;
  socklen_t length;
} Address;

/* An IPv4 or IPv6 address in numbers; IPv6 may end with %interface. */
static Address address_of(const char *host, long port) {
  Address address = {0};
  struct sockaddr_in *four = (struct sockaddr_in *)&address.at;
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address.at;
  char copy[100], *scope;
  snprintf(copy, sizeof copy, "%s", host);
  if ((scope = strchr(copy, '%'))) *scope++ = 0;
  if (inet_pton(AF_INET, copy, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons((unsigned short)port);
    address.length = sizeof *four;
  } else if (inet_pton(AF_INET6, copy, &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((unsigned short)port);
    six->sin6_scope_id = scope ? if_nametoindex(scope) : 0;
    address.length = sizeof *six;
  }
  return address;
}

static int dial(Address address) {
  int peer = socket(address.at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (peer >= 0 && connect(peer, (struct sockaddr *)&address.at, address.length) && errno != EINPROGRESS) {
    int why = errno;
    close(peer);
    errno = why;
    return -1;
  }
  return peer;
}

/* 0 once connected, else -1 and errno. */
static long outcome_of(int peer, int patience_ms) {
  struct pollfd one = {.fd = peer, .events = POLLOUT};
  int why = 0;
  socklen_t size = sizeof why;
  if (peer < 0) return -1;
  if (poll(&one, 1, patience_ms) <= 0) why = ETIMEDOUT;
  else getsockopt(peer, SOL_SOCKET, SO_ERROR, &why, &size);
  close(peer);
  errno = why;
  return why ? -1 : 0;
}

static bool reach(const char *host, long port) {
  return tried(outcome_of(dial(address_of(host, port)), PATIENCE_MS), "tcp %s %ld", host, port);
}

/* A datagram that comes back. */
static bool reach_udp(const char *host, long port) {
  Address address = address_of(host, port);
  struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
  char bytes[16] = "red team";
  int peer = socket(address.at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  long result = connect(peer, (struct sockaddr *)&address.at, address.length);
  if (!result) result = send(peer, bytes, 8, 0);
  if (result > 0) result = recv(peer, bytes, sizeof bytes, 0);
  bool reached = tried(result, "udp %s %ld", host, port);
  close(peer);
  return reached;
}

/* host:port, with the address of IPv6 in brackets. */
static void reach_endpoint(const char *endpoint) {
  char copy[120], *colon;
  snprintf(copy, sizeof copy, "%s", *endpoint == '[' ? endpoint + 1 : endpoint);
  if (!(colon = strrchr(copy, ':'))) return;
  if (colon > copy && colon[-1] == ']') colon[-1] = 0;
  *colon = 0;
  reach(copy, atol(colon + 1));
}

/* Without this one, a pod without any network would look safe. */
static void control_public_address(void) {
  each("public", reach_endpoint);
  verdict();
}

static void metadata_v4(void) {
  each("metadata", reach_endpoint);
  reach("169.254.169.254", 80);
  reach_udp("169.254.169.254", 53);
  verdict();
}

static void metadata_v6(void) {
  reach("fd00:ec2::254", 80);
  reach("fe80::a9fe:a9fe%eth0", 80);
  verdict();
}

static void private_ranges(void) {
  each("lan", reach_endpoint);
  verdict();
}

static void bridge_link_local(void) {
  each("linkLocal", reach_endpoint);
  verdict();
}

static void neighbours_direct(void) {
  each("neighbours", reach_endpoint);
  verdict();
}

static void neighbours_published(void) {
  each("published", reach_endpoint);
  verdict();
}

/* The first addresses of many small networks, all at once: where other pods would be. */
static void neighbours_scan(void) {
  static int peers[SCAN_MAX];
  static char names[SCAN_MAX][INET_ADDRSTRLEN];
  unsigned first = 0, step = (unsigned)number("scanStep", 8);
  int count = 0, found = 0;
  if (inet_pton(AF_INET, arg("scanFrom"), &first) != 1) refused("no pool to scan");
  for (unsigned slot = 0; count < SCAN_MAX; slot += step)
    for (unsigned host = 2; host < 6 && count < SCAN_MAX; host++, count++) {
      struct in_addr at = {.s_addr = htonl(ntohl(first) + slot + host)};
      inet_ntop(AF_INET, &at, names[count], sizeof names[count]);
      bool own = !strcmp(names[count], arg("own"));
      peers[count] = own ? -1 : dial(address_of(names[count], 7022));
    }
  long until = now_ms() + 2 * PATIENCE_MS;
  for (int at = 0; at < count; at++) {
    if (peers[at] < 0) continue;
    long left = until - now_ms();
    if (outcome_of(peers[at], left > 0 ? (int)left : 0)) continue;
    if (found++ < 5) tried(0, "tcp %s 7022", names[at]);
  }
  note("%d addresses tried", count);
  verdict();
}

static void reach_docker(const char *host) {
  reach(host, 2375);
  reach(host, 2376);
}
static void reach_ssh(const char *host) { reach(host, 22); }
static const char *port_now;
static void reach_port(const char *host) { reach(host, atol(port_now)); }
static void reach_port_udp(const char *host) { reach_udp(host, atol(port_now)); }
static void on_every_host(const char *port) { each("hosts", (port_now = port, reach_port)); }
static void on_every_host_udp(const char *port) { each("hosts", (port_now = port, reach_port_udp)); }

static void host_docker_api(void) {
  each("hosts", reach_docker);
  verdict();
}

static void host_ssh(void) {
  each("hosts", reach_ssh);
  verdict();
}

static void host_agent_ports(void) {
  each("agentPorts", on_every_host);
  verdict();
}

static void host_canary_tcp(void) {
  each("canaryTcp", on_every_host);
  verdict();
}

static void host_canary_udp(void) {
  each("canaryUdp", on_every_host_udp);
  verdict();
}

static void raw_socket(void) {
  tried(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), "raw ICMP");
  tried(socket(AF_INET, SOCK_RAW, IPPROTO_RAW), "raw IP");
  tried(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), "raw ICMPv6");
  verdict();
}

/* What forging ARP answers takes. Nothing is sent. */
static void packet_socket(void) {
  tried(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), "packet socket");
  tried(socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ARP)), "packet socket for ARP");
  verdict();
}

static void vsock(void) {
  tried(socket(AF_VSOCK, SOCK_STREAM, 0), "socket to the hypervisor");
  verdict();
}

/* Sends one request over netlink and returns the kernel's answer to it. */
static long ask_kernel(int protocol, struct nlmsghdr *request) {
  char answer[4096];
  struct nlmsghdr *head = (struct nlmsghdr *)answer;
  int kernel = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (kernel < 0) return -1;
  struct timeval patience = {.tv_sec = 1};
  setsockopt(kernel, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  long result = send(kernel, request, request->nlmsg_len, 0);
  if (result >= 0) result = recv(kernel, answer, sizeof answer, 0);
  close(kernel);
  if (result < 0 || head->nlmsg_type != NLMSG_ERROR) return result;
  errno = -((struct nlmsgerr *)NLMSG_DATA(head))->error;
  return errno ? -1 : 0;
}

static void netlink_link(void) {
  struct {
    struct nlmsghdr head;
    struct ifinfomsg link;
  } down = {
      .head = {.nlmsg_len = sizeof down, .nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
      .link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex("lo"), .ifi_flags = IFF_UP, .ifi_change = IFF_UP},
  };
  tried(ask_kernel(NETLINK_ROUTE, &down.head), "setting an interface up");
  verdict();
}

static void netlink_route(void) {
  struct {
    struct nlmsghdr head;
    struct rtmsg route;
    struct rtattr attribute;
    struct in_addr to;
  } add = {
      .head = {.nlmsg_len = sizeof add,
               .nlmsg_type = RTM_NEWROUTE,
               .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE},
      .route = {.rtm_family = AF_INET,
                .rtm_dst_len = 32,
                .rtm_table = RT_TABLE_MAIN,
                .rtm_protocol = RTPROT_STATIC,
                .rtm_type = RTN_BLACKHOLE},
      .attribute = {.rta_len = RTA_LENGTH(4), .rta_type = RTA_DST},
      .to = {.s_addr = htonl(0xC0000263)},
  };
  tried(ask_kernel(NETLINK_ROUTE, &add.head), "adding a route");
  verdict();
}

/* The kernel answers any question about its firewall only to those who may change it. */
static void firewall(void) {
  struct {
    struct nlmsghdr head;
    struct nfgenmsg family;
  } ask = {
      .head = {.nlmsg_len = sizeof ask,
               .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN,
               .nlmsg_flags = NLM_F_REQUEST},
      .family = {.nfgen_family = AF_INET, .version = NFNETLINK_V0},
  };
  tried(ask_kernel(NETLINK_NETFILTER, &ask.head), "asking nftables");
  verdict();
}

/* Sockets without a file belong to a network, not to a folder: a shared network shares them. */
static void abstract_sockets(void) {
  char line[512], *at;
  int own = 0;
  FILE *list = fopen("/proc/net/unix", "r");
  if (!list) refused("/proc/net/unix: %s", strerror(errno));
  while (fgets(line, sizeof line, list)) {
    if (!(at = strchr(line, '@'))) continue;
    at[strcspn(at, "\n")] = 0;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "%s", at + 1);
    int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(at));
    tried(connect(peer, (struct sockaddr *)&name, length), "%.80s", at);
    close(peer);
    own++;
  }
  note("%d sockets seen", own);
  verdict();
}

const Attempt NETWORK[] = {
    {"control-public-address", control_public_address, 0},
    {"metadata-v4", metadata_v4, 0},
    {"metadata-v6", metadata_v6, 0},
    {"private-ranges", private_ranges, 20},
    {"bridge-link-local", bridge_link_local, 20},
    {"neighbours-direct", neighbours_direct, 20},
    {"neighbours-published", neighbours_published, 20},
    {"neighbours-scan", neighbours_scan, 20},
    {"host-docker-api", host_docker_api, 30},
    {"host-ssh", host_ssh, 20},
    {"host-agent-ports", host_agent_ports, 30},
    {"host-canary-tcp", host_canary_tcp, 30},
    {"host-canary-udp", host_canary_udp, 30},
    {"raw-socket", raw_socket, 0},
    {"packet-socket", packet_socket, 0},
    {"vsock", vsock, 0},
    {"netlink-link", netlink_link, 0},
    {"netlink-route", netlink_route, 0},
    {"firewall", firewall, 0},
    {"abstract-sockets", abstract_sockets, 0},
    {0},
};
