# SPDX-License-Identifier: Apache-2.0
# Image of the agent, the user-space datapath, the client and the CNI plugin.
#   podman build -t eoip .
# The first stage builds with Debian's packages; the second gathers the
# programs and the libraries they load; the last is only that, with a busybox
# as its shell. Entry points: eoip-agent (default), eoip-tapd, eoipctl,
# install-cni.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
ENV DEBIAN_FRONTEND=noninteractive CCACHE_DIR=/var/cache/ccache
COPY deploy/packages/build /tmp/packages
RUN apt-get update -q && \
    xargs apt-get install -y -q --no-install-recommends busybox-static </tmp/packages
WORKDIR /src
COPY . .
# Test programs are not the image's business: only these four are built.
RUN cmake --preset release && \
    nice ninja -C build/release eoip-agent eoip-tapd eoipctl eoip

FROM build AS root
RUN bash deploy/image/gather /src/build/release/bin /out

FROM scratch
COPY --from=root /out /
ENV PATH=/usr/bin:/bin
LABEL org.opencontainers.image.title="eoip" \
      org.opencontainers.image.description="Layer-2 overlays to MikroTik sites for pods and hosts" \
      org.opencontainers.image.licenses="Apache-2.0"
# /run/eoip: sockets, shared by agent, tapd and the host. /var/lib/eoip: state.
VOLUME ["/run/eoip", "/var/lib/eoip"]
CMD ["eoip-agent"]
