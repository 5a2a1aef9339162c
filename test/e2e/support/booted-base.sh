#!/bin/bash
# The root filesystems that booted hosts begin with. Used by booted-hosts.ts:
#
#   booted-base.sh node BASE    a server on which a checkout runs: Node's library, curl and WireGuard are there
#   booted-base.sh bare BASE    a server as a provider hands it over: systemd, sshd, sudo and users, nothing of ours
#
# The users of a bare one: root; `admin`, who is root by sudo without a password; `ops`, by sudo with the password
# `ops-password`; `plain`, who may not. systemd-resolved is there and off.
set -euo pipefail
SYSTEM=systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,sudo,iproute2,ca-certificates

base() {
  local packages=$1 base=$2 new suite sources
  shift 2
  new=$(mktemp -d "$base.XXXXXX")
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  sources=/etc/apt/sources.list.d/debian.sources
  [ -f "$sources" ] || sources=/etc/apt/sources.list
  mmdebstrap --quiet --variant=minbase --include="$packages" --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/etc/ssh/ssh_host_*' \
    --customize-hook='for u in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer getty@tty1.service console-getty.service systemd-tmpfiles-clean.timer; do chroot "$1" systemctl mask $u >/dev/null 2>&1 || true; done' \
    --customize-hook='printf "PermitRootLogin prohibit-password\nPasswordAuthentication no\nUseDNS no\nHostKey /etc/ssh/ssh_host_ed25519_key\n" > "$1"/etc/ssh/sshd_config.d/test.conf' \
    "$@" "$suite" "$new.tar" "$sources"
  tar -C "$new" -xpf "$new.tar"
  rm "$new.tar"
  chmod 755 "$new"
  mv -T "$new" "$base"
}

case $1 in
  node) base $SYSTEM,iputils-ping,nftables,wireguard-tools,wireguard-go,procps,libatomic1,curl "$2" ;;
  bare)
    base $SYSTEM,systemd-resolved "$2" \
      --customize-hook='chroot "$1" systemctl disable systemd-resolved >/dev/null 2>&1' \
      --customize-hook='for u in admin ops plain; do chroot "$1" useradd --create-home --shell /bin/bash $u; done' \
      --customize-hook='echo ops:ops-password | chroot "$1" chpasswd && chroot "$1" usermod --append --groups sudo ops' \
      --customize-hook='echo "admin ALL=(ALL) NOPASSWD: ALL" > "$1"/etc/sudoers.d/admin && chmod 440 "$1"/etc/sudoers.d/admin' \
      --customize-hook='if [ -e "$1"/usr/lib/x86_64-linux-gnu/libatomic.so.1 ]; then echo "libatomic is there" >&2; exit 1; fi'
    ;;
  *) exit 2 ;;
esac
