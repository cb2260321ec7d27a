#!/bin/sh
# AWStats 7.8 of Debian 12 drops requests of a log that is in the order of Apache httpd: a line carries the time at which the
# request arrived, and is written when its answer has ended. A download from 23:59:58 to 00:00:05 therefore stands behind a
# request of 00:00:03. AWStats allows lines that are up to two hours late, as 20000 of its numbers YYYYMMDDhhmmss, and
# subtracts them as decimal numbers: across midnight 5 seconds become 764005, and the line counts as corrupted. At any other
# time of the day the same lines are all counted.
#
# It downloads AWStats to a temporary folder and needs perl. It exits with 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
apt-get download -q -o APT::Sandbox::User=root awstats=7.8-3+deb12u2 >/dev/null
dpkg -x awstats_*.deb .

# count NAME FIRST SECOND: lets AWStats count a log of two requests, the second of which arrived first
count() {
  mkdir -p "$1/data"
  {
    echo "192.0.2.1 - - [$2] \"GET /page.html HTTP/1.1\" 200 100 \"-\" \"Mozilla/5.0\""
    echo "192.0.2.2 - - [$3] \"GET /download.html HTTP/1.1\" 200 100000000 \"-\" \"Mozilla/5.0\""
  } >"$1/log"
  cat >"$1/awstats.$1.conf" <<CONF
LogFile="$folder/$1/log"
LogType=W
LogFormat=1
SiteDomain="www.example"
HostAliases="localhost"
DNSLookup=0
DirData="$folder/$1/data"
DirLang="$folder/usr/share/awstats/lang"
CONF
  perl -I"$folder/usr/share/awstats/lib" usr/lib/cgi-bin/awstats.pl -config="$1" -configdir="$folder/$1" -update -showcorrupted >"$1/out" 2>&1
  echo "$1: $2, then $3"
  grep -E 'Corrupted record|corrupted records|new qualified' "$1/out"
}

echo "AWStats $(dpkg-deb -f awstats_*.deb Version)"
count noon 15/Mar/2024:12:00:03\ +0000 15/Mar/2024:11:59:58\ +0000
count midnight 16/Mar/2024:00:00:03\ +0000 15/Mar/2024:23:59:58\ +0000
grep -q 'Found 0 corrupted records' noon/out && grep -q 'Found 2 new qualified records' noon/out &&
  grep -q 'Found 1 corrupted records' midnight/out && grep -q 'Found 1 new qualified records' midnight/out ||
  { echo "changed: this is no longer so"; exit 1; }
