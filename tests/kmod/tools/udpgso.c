// SPDX-License-Identifier: Apache-2.0
// udpgso DST PORT SEGMENT BYTES SECONDS: sends UDP in writes of BYTES that the
// kernel cuts into datagrams of SEGMENT (UDP_SEGMENT), for SECONDS.
// Prints "UDPGSO writes=N".
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	static char data[65536];
	struct timespec now, end;
	int fd, segment, bytes;
	long writes = 0;

	if (argc != 6 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons(atoi(argv[2]));
	segment = atoi(argv[3]);
	bytes = atoi(argv[4]);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) ||
	    setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment))) {
		perror("udpgso");
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += atoi(argv[5]);
	do {
		// Nobody may listen: the ICMP error that comes back is not ours to report.
		for (int i = 0; i < 16; i++)
			if (send(fd, data, bytes, 0) == bytes)
				writes++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec);
	printf("UDPGSO writes=%ld\n", writes);
	return writes ? 0 : 1;
}
