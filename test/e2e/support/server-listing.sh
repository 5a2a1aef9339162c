# Prints what a server is made of, a fact a line, sorted: what is told otherwise the second time was changed in between.
# For a Debian without anything else, as root: `sh server-listing.sh SECONDS`. Contents are hashed of files that were touched since
# then (of the epoch), which is when the disk was made that the server began with.
export LC_ALL=C

# All files but those that differ by themselves from one minute to the next, or are a tool's own copy of the file before.
files() {
  find / \( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp -o -path /var/log -o -path /var/lib/systemd \
    -o -path /var/lib/sudo -o -path '/var/tmp/systemd-private-*' -o -path /var/cache/ldconfig -o -path /etc/.pwd.lock \
    -o -path '/etc/passwd-' -o -path '/etc/shadow-' -o -path '/etc/group-' -o -path '/etc/gshadow-' \
    -o -path '/etc/subuid-' -o -path '/etc/subgid-' \) -prune -o "$@"
}

facts() {
  files -printf 'path %p %M %u:%g %l\n'
  files -type f -newerct "@$1" -print0 | xargs -0 -r sha256sum | sed 's/^/content /'
  getent passwd | sed 's/^/user /'
  getent group | sed 's/^/group /'
  find /run/makiatto /run/systemd/system /run/systemd/transient /run/systemd/resolve -printf 'run %p %M %u:%g %l\n' 2>/dev/null |
    grep -v -e session- -e user@ -e /user- -e resolve/netif -e 'transient drwx'
  systemctl list-unit-files --no-legend --no-pager --state=enabled,enabled-runtime,masked,linked | sed 's/^/unit-file /'
  systemctl list-units --no-legend --no-pager --plain --all --type=service,socket,timer --state=active,failed |
    awk '$1 !~ /^(user|session|user-runtime-dir|ssh)@/ { print "unit", $1, $3 }'
  ss -Hlntu | awk '{ print "socket", $1, $5 }'
  ss -Hlx | awk '$5 ~ /^[\/]/ && $5 !~ /^\/run\/user/ { print "socket", $5 }'
  ip -o link | awk '{ sub(/@.*/, "", $2); print "link", $2, $3 }'
  ip -o addr | awk '{ print "address", $2, $4 }'
  ip route | sed 's/^/route /'
  ip -6 route | sed 's/^/route /'
  for file in /proc/sys/net/core/* /proc/sys/net/ipv4/* /proc/sys/net/ipv4/conf/all/* /proc/sys/net/ipv6/conf/all/*; do
    case $file in */tcp_fastopen_key | */flow_limit_*) continue ;; esac
    [ -f "$file" ] && value=$(cat "$file" 2>/dev/null) && echo "sysctl $file" $value
  done
}

facts "$@" | sort -u
