/* The look-up of a host's name as a test wants it: while NAMES_FILE says "fail", no server for names answers. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!real)
        real = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
    const char *name = getenv("NAMES_FILE");
    char said[32] = "", number[16];
    FILE *file = node && name ? fopen(name, "r") : 0;
    if (file) {
        if (!fgets(said, sizeof said, file))
            said[0] = 0;
        fclose(file);
    }
    if (!strncmp(said, "fail", 4) && inet_pton(AF_INET, node, number) != 1 && inet_pton(AF_INET6, node, number) != 1)
        return EAI_AGAIN;
    return real(node, service, hints, found);
}
