#!/bin/bash
# Hosts that boot a Debian of their own with systemd, on a switch that nothing else is connected to. Used by booted-hosts.ts:
#
#   booted-hosts.sh keep FOLDER KEYS [NAME BASE OPTIONS]...   process 1 of the namespaces in which all of it lives; boots the hosts
#   booted-hosts.sh boot FOLDER NAME NUMBER                   boots the disk of a host again (inside these namespaces)
#
# BASE: the root filesystem that a host begins with (booted-base.sh). OPTIONS: of systemd-nspawn, separated by spaces, such as
# folders of this machine that a host sees; they lie in FOLDER/NAME/options, where a test may change them between two boots.
# KEYS: a file of public SSH keys that let in every user who has a home, or nothing.
# Host number N has 198.51.100.(10+N)/24 and 2001:db8:51::(10+N, in hexadecimal)/64; who sits at the switch has .1.
set -euo pipefail
SELF=$(readlink -f "$0")
GROUP=/sys/fs/cgroup/makiatto-test

keep() {
  local folder=$1 keys=$2 number=0
  shift 2
  mount --make-rprivate /
  mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns
  mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd
  # In place of the older tree, so that hosts see what a server of today has.
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  mount -t tmpfs -o size=6g tmpfs "$folder"
  ip link set lo up
  # Nobody asks who listens to what, and a switch that guesses forgets who looks for neighbours.
  ip link add br0 type bridge mcast_snooping 0
  ip addr add 198.51.100.1/24 dev br0
  ip addr add 2001:db8:51::1/64 dev br0 nodad
  ip link set br0 up
  sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  while [ $# -gt 0 ]; do
    number=$((number + 1))
    disk "$folder" "$1" "$2" "$3" "$keys"
    "$SELF" boot "$folder" "$1" "$number" &
    shift 3
  done
  echo ready
  # Reaps what ends, until the test is gone.
  while :; do sleep 3600 & wait $! || true; done
}

disk() {
  local own=$1/$2 name=$2 base=$3 options=$4 keys=$5 home
  mkdir -p "$own"/{upper,work,root}
  mount -t overlay overlay -o "lowerdir=$base,upperdir=$own/upper,workdir=$own/work" "$own/root"
  mkdir -p "$own"/root/{root/.ssh,etc/ssh}
  chmod 700 "$own/root/root/.ssh"
  ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$own/root/etc/ssh/ssh_host_ed25519_key"
  rm -f "$own/root/etc/machine-id" "$own/root/etc/resolv.conf"
  tr -d - < /proc/sys/kernel/random/uuid > "$own/root/etc/machine-id"
  echo "$name" > "$own/root/etc/hostname"
  echo 'nameserver 198.51.100.1' > "$own/root/etc/resolv.conf"
  printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n' "$name" > "$own/root/etc/hosts"
  if [ -n "$keys" ]; then
    for home in "$own"/root/root "$own"/root/home/*; do
      [ -d "$home" ] || continue
      mkdir -p "$home/.ssh"
      cp "$keys" "$home/.ssh/authorized_keys"
      chmod 700 "$home/.ssh"
      chmod 600 "$home/.ssh/authorized_keys"
      chown -R --reference="$home" "$home/.ssh"
    done
  fi
  # As udev makes it on a server.
  mknod -m 666 "$own/tun" c 10 200
  echo "--bind=$own/tun:/dev/net/tun $options" > "$own/options"
}

# A network namespace of its own for each start: addresses and rules do not outlive a reboot. The hardware address does, or
# others would ask a while for the one of before.
wire() {
  local name=$1 number=$2
  local last=$((10 + number))
  ip netns del "$name" 2>/dev/null || true
  ip link del "p-$number" 2>/dev/null || true
  ip netns add "$name"
  ip link add "p-$number" type veth peer name eth0 address "$(printf 02:00:5e:00:51:%02x "$last")" netns "$name"
  ip link set "p-$number" master br0 up
  ip -n "$name" link set lo up
  ip -n "$name" link set eth0 up
  ip -n "$name" addr add "198.51.100.$last/24" dev eth0
  ip -n "$name" addr add "2001:db8:51::$(printf %x "$last")/64" dev eth0 nodad
  ip -n "$name" route add default via 198.51.100.1
  ip -n "$name" -6 route add default via 2001:db8:51::1
}

boot() {
  local folder=$1 name=$2 number=$3 status=133
  local own=$folder/$name
  # Of this run alone: others boot hosts of the same names at the same time.
  local group=$GROUP/${folder##*/}/$name
  # 133: it wants to be booted again.
  while [ "$status" = 133 ]; do
    wire "$name" "$number"
    mkdir -p "$group"
    status=0
    bash -c 'echo $$ > "$1"; shift; exec "$@"' _ "$group/cgroup.procs" \
      env SYSTEMD_NSPAWN_API_VFS_WRITABLE=network systemd-nspawn --quiet --register=no --keep-unit --boot \
      --directory="$own/root" --machine="$name" --hostname="$name" --network-namespace-path="/run/netns/$name" \
      $(cat "$own/options") --capability=CAP_NET_ADMIN,CAP_NET_RAW \
      --resolv-conf=off --timezone=off --link-journal=no --console=pipe </dev/null >>"$own/console.log" 2>&1 || status=$?
    find "$group" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}

"$@"
