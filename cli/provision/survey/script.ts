/**
 * What a server is asked before anything is changed there: a POSIX shell script (dash, busybox) that is fed to `sh -s` as root
 * and changes nothing. It prints facts as they are, each line of them behind a space, below lines `@@ name`: whatever a
 * file has in it, it cannot pass for the beginning of another fact. Reading and judging is done on the laptop.
 */
export const SURVEY_SCRIPT: string = `
LC_ALL=C; PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export LC_ALL PATH
fact() { echo "@@ $1"; shift; "$@" 2>/dev/null | head -c 1000000 | sed 's/^/ /'; echo; }
has() { command -v "$1" >/dev/null; }
kernel() { uname -s; uname -r; uname -m; uname -n; }
libc() { getconf GNU_LIBC_VERSION; for f in /lib/ld-musl-*; do [ -e "$f" ] && echo musl; done; ldd --version 2>&1 | head -n 1; }
init() { [ -d /run/systemd/system ] && systemctl --version | head -n 1; }
sockets() {
  for p in tcp tcp6 udp udp6; do
    grep -E '^ *[0-9]+: [0-9A-F]+:(0035|0050|01BB|0355|2253|205A|CAA8) [0-9A-F]+:0000 (0A|07) ' "/proc/net/$p" | head -n 100 | sed "s/^/$p /"
  done
}
holders() { ls -l /proc/[0-9]*/fd | grep -e '^/proc/' -e 'socket:'; }
programs() { grep . /proc/[0-9]*/comm /dev/null; }
addresses() { if has ip; then ip -o addr show; else hostname -I | sed 's/^/hostname /'; cat /proc/net/if_inet6; fi; }
routes() { grep -E '^[^[:space:]]+[[:space:]]00000000[[:space:]]' /proc/net/route | sed 's/^/ipv4 /'; grep -E '^0{32} 00 ' /proc/net/ipv6_route | sed 's/^/ipv6 /'; }
ipv6() { [ -e /proc/net/if_inet6 ] && cat /proc/sys/net/ipv6/conf/all/disable_ipv6; }
tun() { [ -c /dev/net/tun ] && echo yes; }
wireguard() { { [ -d /sys/module/wireguard ] || modprobe -n wireguard; } && echo yes; }
disks() {
  for p in /opt /var /etc /usr/local/bin; do
    q=$p; while [ ! -d "$q" ]; do q=$(dirname "$q"); done
    df -Pk "$q" | tail -n 1 | sed "s|^|$p |"
  done
}
mounts() { cat /proc/self/mounts; }
resolver() { systemctl is-active systemd-resolved; readlink /etc/resolv.conf || echo file; cat /etc/resolv.conf; }
firewalls() {
  has ufw && ufw status | head -n 1 | sed 's/^/ufw /'
  has firewall-cmd && firewall-cmd --state 2>&1 | sed 's/^/firewalld /'
  if has nft; then nft list ruleset | grep -E 'hook input|drop|reject' | head -n 50 | sed 's/^/nft /'
  elif has iptables; then iptables -S INPUT | head -n 50 | sed 's/^/iptables /'; fi
}
selinux() { cat /sys/fs/selinux/enforce; }
marks() {
  for f in /opt/makiatto /opt/makiatto/journal.json /opt/makiatto/current /usr/local/bin/makiatto /etc/makiatto /etc/makiatto/makiatto.toml /etc/makiatto.toml /var/makiatto /var/makiatto/cluster.db /var/makiatto/bootstrap.operations /var/makiatto/stored /etc/systemd/system/makiatto.service /etc/sudoers.d/makiatto; do
    if [ -h "$f" ]; then echo "link $f $(readlink "$f")"; elif [ -d "$f" ]; then echo "folder $f"; elif [ -e "$f" ]; then echo "file $f"; fi
  done
  for f in /opt/makiatto /opt/makiatto/versions; do
    [ -e "$f" ] || [ -h "$f" ] || continue
    [ ! -h "$f" ] && [ -O "$f" ] && [ -z "$(find "$f" -prune -perm /022)" ] || echo "planted $f"
  done
  ls /opt/makiatto/versions | sed 's/^/version /'
  getent passwd makiatto | sed 's/^/user /'
  echo "active $(systemctl is-active makiatto.service)"
}
config() { cat /etc/makiatto/makiatto.toml; }
missing() { for p in tar gzip sha256sum systemctl mv mktemp; do has "$p" || echo "$p"; done; has useradd || has adduser || echo useradd; }
release() { cat /etc/os-release || cat /usr/lib/os-release; }
main() {
  fact date date +%s
  for f in kernel release libc init sockets holders programs addresses routes ipv6 tun wireguard disks mounts resolver firewalls selinux marks config missing; do fact "$f" "$f"; done
  echo "@@ end"
}
main </dev/null
`
