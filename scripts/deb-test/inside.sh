#!/bin/sh
# Runs in a clean Debian without a network: installs, runs, upgrades, removes and purges the package, and looks at what is
# there after each. Arguments: the two packages, older first. Prints "ok - ..." for each thing seen; the first that is not
# so ends it with exit code 1. Processes left over end with the PID namespace that this is the first process of.
set -u
older=$1
newer=$2
export DEBIAN_FRONTEND=noninteractive LC_ALL=C HOME=/root
. /tmp/common.sh
# Everything on the disk that could have come from the package; not what dpkg and adduser keep about everything.
files() {
  find / -xdev \( -path /proc -o -path /tmp -o -path /var/lib/dpkg -o -path /var/log -o -path /var/cache \) -prune -o -print |
    grep -v -x -e '/etc/[a-z]*-' -e /etc/.pwd.lock -e /run/adduser | sort
}
start() {
  shoal run "/etc/shoal/$1.conf" 2>"/root/$1.log" &
  eval "pid_$1=\$!"
}
stop() {
  eval "pid=\$pid_$1"
  kill "$pid" && wait "$pid"
}
# The state of an instance, the last word of it, as shoal ps shows it.
state_of() { shoal ps | awk -v name="$1" '$1 == name { print $3 == "not" ? $4 : $3; exit }'; }
until_is() {
  tries=0
  until [ "$(state_of "$1")" = "$2" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || { shoal ps; return 1; }
    sleep 1
  done
}
equal "$(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ')" lo >/dev/null || { echo 'not ok - there is a network'; exit 1; }
files >/root/before
files >/root/before # now with itself in it

# Installing.
check 'installs with nothing but what a minimal Debian has' dpkg -i "$older"
check 'is configured, with nothing missing' dpkg --audit
check 'the command runs' equal "$(shoal --version)" "$(dpkg-query -W -f '${Version}' shoal | cut -d+ -f1)"
check 'there is a user for it' equal "$(id -un shoal):$(id -gn shoal):$(getent passwd shoal | cut -d: -f6,7)" shoal:shoal:/var/lib/shoal:/usr/sbin/nologin
check '/etc/shoal and /var/lib/shoal are root only to change' equal "$(stat -c %U:%G:%a /etc/shoal /var/lib/shoal | uniq)" root:root:755
check 'nothing runs' not pidof node
(cd / && check 'no file differs from its checksum' md5sum --quiet -c /var/lib/dpkg/info/shoal.md5sums)
check 'man pages are there' test -s /usr/share/man/man1/shoal.1.gz -a -s /usr/share/man/man5/shoal.conf.5.gz
check 'bash completes' bash -c '. /usr/share/bash-completion/completions/shoal && complete -p shoal && COMP_WORDS=(shoal stat) COMP_CWORD=1 && _shoal && [ "${COMPREPLY[*]}" = status ]'
check 'zsh and fish have theirs' test -s /usr/share/zsh/vendor-completions/_shoal -a -s /usr/share/fish/vendor_completions.d/shoal.fish

# Running: two daemons, one file each way.
mkdir -p /srv/a /srv/b
umask 077
shoal secret new --grade write >/etc/shoal/photos.secret
configuration a /srv/a 4001 4002 >/etc/shoal/a.conf
configuration b /srv/b 4002 4001 >/etc/shoal/b.conf
umask 022
if shoal help | grep -q '^  check '; then check 'the configurations pass shoal check' shoal check /etc/shoal/a.conf /etc/shoal/b.conf; fi
echo one >/srv/a/one
echo two >/srv/b/two
start a
start b
check 'two daemons come in sync' settled a
check 'each holds what the other had' equal "$(cat /srv/b/one /srv/a/two)" "$(printf 'one\ntwo')"

# The units that start with the machine, as systemd's generator says.
sh -c 'mkdir -p /tmp/units && /usr/lib/systemd/system-generators/shoal-generator /tmp/units'
check 'AUTOSTART=all: both configurations' equal "$(ls /tmp/units/shoal.target.wants | tr '\n' ' ')" 'shoal@a.service shoal@b.service '
rm -r /tmp/units
sed -i 's/^AUTOSTART=.*/AUTOSTART="b lost"/' /etc/default/shoal
check 'AUTOSTART with names: says what is not there' equal "$(mkdir /tmp/units && /usr/lib/systemd/system-generators/shoal-generator /tmp/units 2>&1 | grep -c 'names lost')" 1
check 'AUTOSTART with names: these' equal "$(ls /tmp/units/shoal.target.wants)" shoal@b.service
rm -r /tmp/units

# Upgrading, with a changed conffile.
stop a
stop b
check 'upgrades' dpkg -i "$newer"
check 'to the newer version' equal "$(dpkg-query -W -f '${Version}' shoal)" "$(dpkg-deb -f "$newer" Version)"
check 'and keeps what was changed' grep -q 'AUTOSTART="b lost"' /etc/default/shoal
start a
start b
echo three >/srv/a/three
check 'the daemons go on where they were' settled a
check 'and sync' equal "$(cat /srv/b/three)" three
if shoal help | grep -q '^  up '; then
  stop a
  stop b
  shoal up /etc/shoal >/root/up.log 2>&1 &
  pid_up=$!
  check 'shoal up heeds AUTOSTART' until_is b running
  check 'and leaves the other' until_is a autostarted
  stop up
  sed -i 's/^AUTOSTART=.*/AUTOSTART="all"/' /etc/default/shoal
  shoal up >/root/up.log 2>&1 &
  pid_up=$!
  check 'shoal up runs them all' settled a
  stop up
  check 'and ends with its signal' equal "$?" 0
  start a
  start b
  check 'each can be run by itself again' settled a
fi
stop a
check 'a daemon ends with its signal' equal "$?" 0
stop b
check 'and so does the other' equal "$?" 0

# Removing, purging.
check 'is removed' dpkg -r shoal
check 'removal leaves no program' not test -e /usr/lib/shoal -o -e /usr/bin/shoal -o -e /usr/lib/systemd/system/shoal@.service
check 'removal keeps what was configured' test -s /etc/default/shoal -a -s /etc/shoal/a.conf -a -s /etc/shoal/photos.secret
check 'is purged' dpkg -P shoal
check 'purging takes the conffile' not test -e /etc/default/shoal
files | comm -13 /root/before - | grep -v -e '^/root/' -e '^/srv/[ab]' -e '^/var/lib/shoal/[ab]/' >/root/left
check 'purging leaves what is the administrator'"'"'s and nothing else' equal "$(tr '\n' ' ' </root/left)" \
  '/etc/shoal /etc/shoal/a.conf /etc/shoal/b.conf /etc/shoal/photos.secret /var/lib/shoal /var/lib/shoal/a /var/lib/shoal/b '
check 'the shares are whole' equal "$(cat /srv/a/one /srv/a/two /srv/a/three | tr '\n' ' ')" 'one two three '
check 'and so is the storage' test -d /var/lib/shoal/a -a -d /var/lib/shoal/b

# Again, with nothing of anybody's.
rm -r /etc/shoal /var/lib/shoal /srv/a /srv/b /root/*.log
check 'installs again' dpkg -i "$newer"
check 'is purged again' dpkg -P shoal
rm /root/left
files | comm -3 /root/before - >/tmp/left
check 'and nothing at all is left' test ! -s /tmp/left
