#!/bin/sh
# Runs its arguments in a network namespace of their own beside three others: `peer` at the other end of `wawa0`, `lan` on the
# cable of a provider, and `behind`, which would be reached through us. All is gone with it.
set -e
mount -t tmpfs tmpfs /run/netns 2>/dev/null || { mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns; }
ip link set lo up
for name in peer lan behind; do
  ip netns add "$name"
  ip -n "$name" link set lo up
done
ip link add wawa0 type veth peer name up0 netns peer
ip link add lan0 type veth peer name up0 netns lan
ip link add behind0 type veth peer name up0 netns behind
for name in peer lan behind; do
  ip -n "$name" link set up0 up
done
ip link set lan0 up
ip link set behind0 up
ip addr add 2001:db8:1::1/64 dev lan0 nodad
ip addr add 2001:db8:2::1/64 dev behind0 nodad
ip -n lan addr add 2001:db8:1::2/64 dev up0 nodad
ip -n lan route add fd77:1:2::/48 via 2001:db8:1::1
ip -n behind addr add 2001:db8:2::2/64 dev up0 nodad
ip -n behind route add default via 2001:db8:2::1
ip -n peer route add default dev up0
sysctl -qw net.ipv6.conf.all.forwarding=1
serve='require("node:net").createServer((socket) => socket.on("error", () => {}).end("hello")).listen(9000, "::")'
ip netns exec peer "$NODE" -e "$serve" &
ip netns exec behind "$NODE" -e "$serve" &
exec "$@"
