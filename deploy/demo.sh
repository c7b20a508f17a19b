#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The demonstration that deploy/quickstart raises. Sourced after lib.sh.
#
#   pod ── veth ── bridge lan ── eoip1 ═══ underlay ═══ eoip1 ── bridge ── LAN host
#         (namespace eoip-demo-node)        EoIP       (eoip-demo-site)  (…-host)

RUN=/run/eoip-demo
LOGS=$RUN/log
APT_LOG=$LOGS/apt.log
BIN=$TOP/build/release/bin
CNI_PATH_DEBIAN=/usr/lib/cni
NODE=eoip-demo-node SITE=eoip-demo-site HOST=eoip-demo-host POD=eoip-demo-pod
NODE_IP=203.0.113.1 SITE_IP=203.0.113.2
LAN_HOST=192.168.88.10
TUNNEL_ID=7
TRANSFER_BYTES=$((64 << 20))
export EOIP_AGENT_SOCKET=$RUN/agent.sock

STEP=0
step() { STEP=$((STEP + 1)); echo; echo "[$STEP/9] $1"; doing=$1; }
show() { echo "  \$ $*"; }
fail() {
  echo
  echo "FAILED at step $STEP ($doing): $1"
  echo "Logs: $LOGS"
  [ -n "${2:-}" ] && [ -s "$2" ] && tail -n 8 "$2" | sed 's/^/  | /'
  echo "Remove what was raised: sudo ./deploy/quickstart down"
  exit 1
}
# Shows a command, runs it, and ends the demonstration when it fails.
must() {
  show "$@"
  "$@" >"$LOGS/last.log" 2>&1 || fail "$*" "$LOGS/last.log"
}
in_ns() { ip netns exec "$@"; }
# Runs quietly something that is not a user's concern but must work.
quiet() { "$@" >"$LOGS/last.log" 2>&1 || fail "$*" "$LOGS/last.log"; }

# Starts a program in a namespace, in the background, with a log.
start() { # namespace, log name, program...
  local ns=$1 log=$LOGS/$2
  shift 2
  setsid ip netns exec "$ns" "$@" >"$log" 2>&1 </dev/null &
}
await() { # what, seconds, log, command...
  local what=$1 end=$((SECONDS + $2)) log=$3
  shift 3
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || fail "$what: not within the time allowed" "$log"
    sleep 0.05
  done
}

# The kernel module where this kernel can load one and its headers are here.
load_module() {
  WHY=
  if [ -d /sys/module/eoip ]; then WHY="module eoip is loaded already"; return; fi
  if [ ! -e /proc/modules ]; then WHY="this kernel loads no modules"; return; fi
  if [ ! -d "/lib/modules/$(uname -r)/build" ]; then WHY="no headers of kernel $(uname -r)"; return; fi
  if [ ! -f "$TOP/kmod/Makefile" ]; then WHY="no module source here"; return; fi
  cp -r "$TOP/kmod" "$RUN/kmod"
  show make -C kmod KDIR="/lib/modules/$(uname -r)/build"
  if ! make -C "$RUN/kmod" KDIR="/lib/modules/$(uname -r)/build" >"$LOGS/kmod.log" 2>&1; then
    WHY="the module did not build, see $LOGS/kmod.log"
  elif show insmod eoip.ko; ! insmod "$RUN/kmod/eoip.ko" 2>>"$LOGS/kmod.log"; then
    WHY="the module did not load: $(tail -n 1 "$LOGS/kmod.log")"
  else
    touch "$RUN/loaded-module"
    WHY="module eoip was built and loaded"
  fi
}

cni() { # command
  in_ns "$NODE" env CNI_COMMAND="$1" CNI_CONTAINERID=eoip-demo CNI_NETNS="/run/netns/$POD" \
    CNI_IFNAME=eth0 CNI_PATH="$BIN:$CNI_PATH_DEBIAN" "$BIN/eoip" <"$RUN/net.conf"
}

make_hosts() {
  # Remembered for "down": whether `ip netns` had been used here before.
  [ -e /run/netns ] || touch "$RUN/made-run-netns"
  local ns
  for ns in $NODE $SITE $HOST $POD; do
    must ip netns add "$ns"
    quiet ip -n "$ns" link set lo up
  done
  must ip link add uplink netns $NODE type veth peer name ether1 netns $SITE
  must ip link add eth0 netns $HOST type veth peer name ether2 netns $SITE
  # What crosses the underlay are packets as on a wire, also with the module.
  quiet in_ns $NODE ethtool -K uplink tso off gso off tx-gre-segmentation off
  quiet ip -n $NODE addr add $NODE_IP/24 dev uplink
  quiet ip -n $SITE addr add $SITE_IP/24 dev ether1
  quiet ip -n $HOST addr add $LAN_HOST/24 dev eth0
  quiet ip -n $SITE link add lan type bridge
  quiet ip -n $SITE addr add 192.168.88.1/24 dev lan
  quiet ip -n $SITE link set ether2 master lan
  local pair
  for pair in $NODE/uplink $SITE/ether1 $SITE/ether2 $SITE/lan $HOST/eth0; do
    quiet ip -n "${pair%/*}" link set "${pair#*/}" up
  done
}

start_site() {
  show eoip_site.py --dev eoip1 --local $SITE_IP --remote $NODE_IP --tunnel-id $TUNNEL_ID
  start $SITE site.log /usr/bin/python3 -B "$TOP/tests/support/eoip_site.py" --dev eoip1 \
    --local $SITE_IP --remote $NODE_IP --tunnel-id $TUNNEL_ID --keepalive 10,10
  await "the site's EoIP endpoint" 10 "$LOGS/site.log" grep -q ready "$LOGS/site.log"
  quiet ip -n $SITE link set eoip1 master lan
  show dnsmasq --interface=lan --dhcp-range=192.168.88.100,192.168.88.150
  start $SITE dnsmasq.log dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 \
    --interface=lan --bind-interfaces --dhcp-authoritative --no-ping \
    --dhcp-range=192.168.88.100,192.168.88.150,1h --dhcp-leasefile="$RUN/leases" \
    --pid-file= --user=root --log-facility=-
  start $HOST transfer.log /usr/bin/python3 -B "$TOP/tests/support/transfer.py" serve 5001
  await "the LAN host's server" 10 "$LOGS/transfer.log" grep -q ready "$LOGS/transfer.log"
}

start_agent() {
  show eoip-tapd --socket $RUN/tapd.sock
  start $NODE tapd.log "$BIN/eoip-tapd" --socket $RUN/tapd.sock
  await "eoip-tapd's socket" 10 "$LOGS/tapd.log" test -S $RUN/tapd.sock
  show eoip-agent --socket $RUN/agent.sock --state-dir $RUN/state --tapd-socket $RUN/tapd.sock
  start $NODE agent.log "$BIN/eoip-agent" --socket $RUN/agent.sock --state-dir $RUN/state \
    --runtime-dir $RUN --tapd-socket $RUN/tapd.sock --node quickstart
  await "eoip-agent to answer" 20 "$LOGS/agent.log" "$BIN/eoipctl" status
}

add_pod() {
  cat >"$RUN/net.conf" <<CONF
{ "cniVersion": "1.0.0", "name": "lan", "type": "eoip", "network": "lan",
  "agentSocket": "$RUN/agent.sock",
  "ipam": { "type": "host-local", "dataDir": "$RUN/ipam",
    "ranges": [[{ "subnet": "192.168.88.0/24", "rangeStart": "192.168.88.200",
                  "rangeEnd": "192.168.88.220" }]] } }
CONF
  show "CNI_COMMAND=ADD CNI_NETNS=/run/netns/$POD CNI_IFNAME=eth0 eoip <net.conf"
  cni ADD >"$RUN/result" 2>"$LOGS/cni.log" || {
    cat "$RUN/result" >>"$LOGS/cni.log"
    fail "the CNI plugin refused ADD" "$LOGS/cni.log"
  }
  POD_IP=$(ip -n $POD -4 -o addr show dev eth0 | awk '{ sub("/.*", "", $4); print $4 }')
  [ -n "$POD_IP" ] || fail "the pod has no address" "$RUN/result"
  echo "  eth0 of the pod has $POD_IP"
}

try_traffic() {
  show "ip netns exec $POD ping -c 10 $LAN_HOST"
  in_ns $POD ping -q -c 10 -i 0.1 -W 2 $LAN_HOST >"$LOGS/ping.log" 2>&1 ||
    fail "no ping from the pod to the LAN host" "$LOGS/ping.log"
  PING=$(awk -F'[,=/ ]+' '/received/ { n = $4 "/" $1 } /^rtt/ { r = $7 " ms" } END { print n " answered, " r }' "$LOGS/ping.log")
  show "ip netns exec $HOST ping -c 5 $POD_IP"
  in_ns $HOST ping -q -c 5 -i 0.1 -W 2 "$POD_IP" >"$LOGS/ping-back.log" 2>&1 ||
    fail "no ping from the LAN host to the pod" "$LOGS/ping-back.log"
  show "ip netns exec $POD transfer.py check $LAN_HOST 5001 $TRANSFER_BYTES"
  in_ns $POD /usr/bin/python3 -B "$TOP/tests/support/transfer.py" check $LAN_HOST 5001 \
    $TRANSFER_BYTES >"$LOGS/check.log" 2>&1 || fail "the TCP transfer" "$LOGS/check.log"
  SENT=$(sed -n 's/^sent //p' "$LOGS/check.log")
  BACK=$(sed -n 's/^received //p' "$LOGS/check.log")
  show "ip netns exec $POD udhcpc -i eth0 -s /bin/true"
  in_ns $POD udhcpc -i eth0 -f -n -q -t 5 -T 1 -s /bin/true >"$LOGS/dhcp.log" 2>&1 ||
    fail "the site's DHCP server gave no lease" "$LOGS/dhcp.log"
  LEASE=$(grep -oE 'lease of [0-9.]+' "$LOGS/dhcp.log" | awk '{ print $3 }')
  [ -n "$LEASE" ] || fail "the site's DHCP server gave no lease" "$LOGS/dhcp.log"
}

report() {
  local datapath
  datapath=$("$BIN/eoipctl" tunnel get eoip1 -o json | sed -n 's/^ *"datapath": *"\(KERNEL\|TAP\|BPF\)".*/\1/p' | tail -n 1)
  [ -n "$datapath" ] || fail "the tunnel's status names no datapath" "$LOGS/agent.log"
  step "result"
  "$BIN/eoipctl" || fail "eoipctl" "$LOGS/agent.log"
  echo
  printf '  %-26s %s\n' "datapath" "$datapath ($WHY)" \
    "pod -> LAN host, ping" "$PING" \
    "LAN host -> pod, ping" "$(awk -F'[,=/ ]+' '/received/ { print $4 "/" $1 " answered" }' "$LOGS/ping-back.log")" \
    "pod -> LAN host, TCP" "$SENT" \
    "LAN host -> pod, TCP" "$BACK" \
    "site's DHCP server" "offers the pod $LEASE"
  cat <<TXT

It stays up. To look around:
  export EOIP_AGENT_SOCKET=$EOIP_AGENT_SOCKET PATH=$BIN:\$PATH
  eoipctl tunnel get eoip1 -o yaml
  ip netns exec $POD ping $LAN_HOST
  ip netns exec $SITE tcpdump -ni ether1 proto 47
Logs: $LOGS     Remove all of it: sudo ./deploy/quickstart down
TXT
  echo "OK: a pod at $POD_IP talks Ethernet with $LAN_HOST through EoIP tunnel $TUNNEL_ID ($datapath)"
}

demo_up() {
  echo "EoIP quickstart: a pod on a site's LAN, on this machine alone"
  # From nothing each time: what a run before left is taken away first.
  demo_remove
  mkdir -p "$LOGS"
  trap 'fail "interrupted"' INT TERM
  step "packages"
  install_packages build demo || fail "apt-get" "$APT_LOG"
  step "build"
  show "cmake --preset release && ninja -C build/release"
  build_preset release "$LOGS/build.log" eoip-agent eoip-tapd eoipctl eoip ||
    fail "the build" "$LOGS/build.log"
  step "datapath"
  load_module
  echo "  $WHY"
  step "hosts: node, pod, site, LAN host"
  make_hosts
  step "site: EoIP endpoint, bridge, DHCP server"
  start_site
  step "node: eoip-tapd and eoip-agent"
  start_agent
  step "tunnel, network, pod"
  must "$BIN/eoipctl" tunnel create eoip1 kind=eoip local-address=$NODE_IP \
    remote-address=$SITE_IP tunnel-id=$TUNNEL_ID --wait=20s
  must "$BIN/eoipctl" network create lan ports=eoip1 --wait=20s
  add_pod
  step "traffic"
  try_traffic
  report
}

demo_status() {
  if [ ! -d $RUN ]; then
    echo "The demonstration is not up. Raise it: sudo ./deploy/quickstart"
    return 1
  fi
  ip netns pids $NODE 2>/dev/null | xargs -r ps -o pid,rss,etime,args -p
  "$BIN/eoipctl"
}

demo_remove() {
  local ns pid
  for ns in $POD $HOST $SITE $NODE; do
    [ -e "/run/netns/$ns" ] || continue
    for pid in $(ip netns pids $ns); do kill "$pid" 2>/dev/null; done
    for _ in $(seq 100); do
      [ -z "$(ip netns pids $ns)" ] && break
      sleep 0.05
    done
    for pid in $(ip netns pids $ns); do kill -KILL "$pid" 2>/dev/null; done
    ip netns del $ns
  done
  [ -e $RUN/loaded-module ] && rmmod eoip
  if [ -e $RUN/made-run-netns ] && [ -z "$(ls -A /run/netns)" ]; then
    umount /run/netns && rmdir /run/netns
  fi
  rm -rf $RUN
}

demo_down() {
  demo_remove
  echo "The demonstration is gone; programs are still in build/, packages stay installed."
}
