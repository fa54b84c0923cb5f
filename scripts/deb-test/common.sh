# What both tests of the package use. check WHAT COMMAND... prints "ok - WHAT", or what the command said and ends.
check() {
  what=$1
  shift
  if output=$("$@" 2>&1); then
    echo "ok - $what"
  else
    echo "not ok - $what: $*"
    echo "$output" | sed 's/^/    /'
    exit 1
  fi
}
not() { ! "$@"; }
equal() { [ "$1" = "$2" ] || { echo "is: $1"; echo "expected: $2"; return 1; }; }
# The daemon of /etc/shoal/$1.conf has met a member, and all hold the same.
in_sync() { shoal status "/etc/shoal/$1.conf" --wait --timeout 20 && shoal status "/etc/shoal/$1.conf" --json | grep -q '"connected": true'; }
settled() {
  tries=0
  until in_sync "$1"; do
    tries=$((tries + 1))
    [ "$tries" -lt 10 ] || return 1
    sleep 1
  done
}
# configuration NAME FOLDER PORT PORT_OF_OTHER
configuration() {
  cat <<END
{
  "device_name": "$1", "listening_port": $3, "listen_host": "127.0.0.1", "storage_path": "/var/lib/shoal/$1",
  "shared_folders": [{
    "secret": {"file": "photos.secret"}, "dir": "$2", "known_hosts": ["127.0.0.1:$4"], "search_lan": false
  }]
}
END
}
