#!/bin/sh
# Runs in a clean Debian that systemd has booted in a container without a network: what the package does with units, and
# what the units do with daemons. Arguments: the two packages, older first. Prints "ok - ..." for each thing seen; the
# first that is not so ends it with exit code 1.
set -u
older=$1
newer=$2
export DEBIAN_FRONTEND=noninteractive LC_ALL=C HOME=/root
. /root/common.sh

property() { systemctl show --property "$2" --value "$1"; }
# The user that a unit's process runs as, with all its ids.
ps_user() { getent passwd "$(awk '/^Uid:/ { print $2 == $3 && $3 == $4 && $4 == $5 ? $2 : "mixed" }' "/proc/$(property "$1" MainPID)/status")" | cut -d: -f1; }
until_is() {
  tries=0
  until [ "$(property "$1" "$2")" = "$3" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || { equal "$(property "$1" "$2")" "$3"; systemctl status --no-pager "$1"; return 1; }
    sleep 1
  done
}

pid_of() { shoal ps | awk -v name="$1" '$1 == name && $3 == "running" { print $4 }'; }
until_runs() {
  tries=0
  until [ -n "$(pid_of "$1")" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || { shoal ps; return 1; }
    sleep 1
  done
}

check 'installs' dpkg -i "$older"
check 'the target is there for the next start, and now' equal "$(systemctl is-enabled shoal.target) $(systemctl is-active shoal.target)" 'enabled active'
check 'systemd finds no fault that it is not too old for' equal \
  "$(systemd-analyze verify --man=no shoal@a.service shoal-up.service shoal.target 2>&1 | grep -v -e RestartSteps -e RestartMaxDelaySec)" ''
systemd-analyze security --offline=true --no-pager /usr/lib/systemd/system/shoal@.service 2>/dev/null | tail -1

# One share in places that stricter hardening would hide or lock; one configuration that cannot work.
mkdir -p /etc/shared /home/b
umask 077
shoal secret new --grade write >/etc/shoal/photos.secret
configuration a /etc/shared 4001 4002 >/etc/shoal/a.conf
configuration b /home/b 4002 4001 >/etc/shoal/b.conf
# One that carries no owners, and so has no owner whom set-id bits could be meant for.
configuration idle /tmp/idle 4003 4001 | sed 's/"dir"/"owners": "ignore", &/' >/etc/shoal/idle.conf
# As another user, for whom root makes the storage path.
configuration web /srv/web 4004 4001 >/etc/shoal/web.www-data.conf
install -d -o www-data -g www-data /srv/web
install -m 400 -o www-data /etc/shoal/photos.secret /etc/shoal/web.secret
sed -i 's/photos.secret/web.secret/' /etc/shoal/web.www-data.conf
echo '{ "storage_path": ' >/etc/shoal/broken.conf
umask 022
mkdir /tmp/idle
echo one >/etc/shared/one
chmod 4755 /etc/shared/one
systemctl daemon-reload
systemctl start shoal.target
check 'a daemon is ready' until_is shoal@a.service ActiveState active
check 'and another' until_is shoal@b.service ActiveState active
check 'one that cannot work has failed' until_is shoal@broken.service ActiveState failed
check 'and is not tried again' equal "$(property shoal@broken.service NRestarts) $(property shoal@broken.service ExecMainStatus)" '0 78'
check 'they come in sync' settled a
check 'as root with owners, and the bits that change who runs a file' equal "$(stat -c '%a %U' /home/b/one)" '4755 root'
check 'a third' settled idle
check 'as root without owners and without these bits' equal "$(stat -c %a /tmp/idle/one)" 755
check 'of which it tells' sh -c 'shoal status /etc/shoal/idle.conf --json | grep -q SETID_WITHHELD'
check 'a daemon of another user is ready' until_is shoal@web.www-data.service ActiveState active
check 'and is that user' equal "$(ps_user shoal@web.www-data.service)" www-data
check 'and is in sync' settled web.www-data
check 'and so are its files' equal "$(stat -c %U /srv/web/one /var/lib/shoal/web | uniq)" www-data
check 'with the mode bits that hardening might have forbidden' equal "$(stat -c %a /srv/web/one)" 4755
check 'a reload is taken' systemctl reload shoal@a.service
check 'and done' until_is shoal@a.service ActiveState active
check 'and ends nothing' equal "$(property shoal@a.service NRestarts)" 0
kill -9 "$(property shoal@b.service MainPID)"
check 'a killed daemon is started again' until_is shoal@b.service NRestarts 1
check 'and is ready' until_is shoal@b.service ActiveState active
check 'and syncs' settled b

# Short of the two minutes of the unit, for the test.
mkdir -p /run/systemd/system/shoal@b.service.d
printf '[Service]\nWatchdogSec=20s\n' >/run/systemd/system/shoal@b.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart shoal@b.service
kill -STOP "$(property shoal@b.service MainPID)"
check 'a daemon that hangs is ended and started again' until_is shoal@b.service NRestarts 1
rm -r /run/systemd/system/shoal@b.service.d
systemctl daemon-reload
check 'and is ready' until_is shoal@b.service ActiveState active

# Upgrading: what ran runs again, as another process; what did not, does not.
check 'one is stopped by hand' systemctl stop shoal@idle.service
before=$(property shoal@a.service MainPID)
check 'upgrades, though one configuration cannot work' dpkg -i "$newer"
check 'what ran is running' until_is shoal@a.service ActiveState active
check 'as a new process' not equal "$(property shoal@a.service MainPID)" "$before"
check 'the other, too' until_is shoal@b.service ActiveState active
check 'what was stopped by hand is not' equal "$(property shoal@idle.service ActiveState)" inactive
check 'nothing is noted any more' not test -e /run/shoal-stopped-for-upgrade
systemctl start shoal@idle.service # or it would be a member that cannot be reached
echo two >/etc/shared/two
check 'and they sync' settled a
check 'each other' equal "$(cat /home/b/two)" two
systemctl disable --quiet shoal.target
check 'a second upgrade' dpkg -i "$newer"
check 'leaves what is disabled disabled' equal "$(systemctl is-enabled shoal.target)" disabled

# The other way to run them: one service for all, in place of the target.
check 'shoal-up takes over' systemctl start shoal-up.service
check 'from the target' equal "$(property shoal.target ActiveState) $(property shoal@a.service ActiveState)" 'inactive inactive'
check 'all that can run do' equal "$(shoal ps | awk '$3 == "running" { print $1 ":" $2 }' | sort | tr '\n' ' ')" 'a:root b:root idle:root web:www-data '
check 'the one that cannot is told of' equal "$(shoal ps | awk '$1 == "broken" { print $3 }' | head -n 1)" failed
echo three >/etc/shared/three
check 'and they sync' settled web.www-data
check 'each other' equal "$(stat -c %U /srv/web/three)" www-data
kill -9 "$(pid_of b)"
check 'a killed daemon is started again' until_runs b
check 'a reload is taken' systemctl reload shoal-up.service
check 'and done' until_is shoal-up.service ActiveState active
before=$(property shoal-up.service MainPID)
check 'a third upgrade' dpkg -i "$newer"
check 'what ran is running' until_is shoal-up.service ActiveState active
check 'as a new process' not equal "$(property shoal-up.service MainPID)" "$before"
check 'with all daemons' until_runs b
systemctl kill --kill-who=main --signal=KILL shoal-up.service
check 'shoal up itself is started again' until_is shoal-up.service NRestarts 1
check 'with all daemons, again' until_runs web
check 'shoal down is no failure' shoal down
check 'after which none runs' until_is shoal-up.service ActiveState inactive
check 'for sure' not pidof /usr/lib/shoal/node
systemctl enable --quiet --now shoal.target
check 'and the target is back' until_is shoal@a.service ActiveState active

# With nothing but configurations that cannot work, installing works.
check 'is removed' dpkg -r shoal
check 'and nothing runs' not pidof /usr/lib/shoal/node
check 'systemd knows no such unit' equal "$(property shoal@a.service LoadState)" not-found
rm /etc/shoal/a.conf /etc/shoal/b.conf /etc/shoal/idle.conf /etc/shoal/web.www-data.conf
check 'a start that fails does not fail the installation' dpkg -i "$newer"
check 'which is whole' equal "$(dpkg-query -W -f '${db:Status-Status}' shoal)" installed
check 'although the start has failed' until_is shoal@broken.service ActiveState failed
check 'is purged' dpkg -P shoal
check 'without a trace in systemd' equal "$(ls /etc/systemd/system/multi-user.target.wants /var/lib/systemd/deb-systemd-helper-enabled 2>/dev/null | grep shoal)" ''
check 'but with the configuration' test -s /etc/shoal/broken.conf -a -s /etc/shared/one
