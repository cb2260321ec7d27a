#!/bin/sh
# nohup(1) does not protect a Node program. nohup starts a program with SIGHUP ignored, and execve(2) keeps that; but Node sets
# every signal to its default action when it starts. So `nohup node …` ends when the terminal closes, where `nohup sleep` and
# `nohup python3` go on. A program has to ignore or handle SIGHUP itself.
#
# It installs two versions of Node from npm to a temporary folder. It exits with 1 when the behaviour has changed.
set -u
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
platform=linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')

# hang_up NAME COMMAND…: the exit status of a command under nohup that gets SIGHUP after a second, and would end with 0
hang_up() {
  name=$1
  shift
  nohup "$@" >/dev/null 2>&1 &
  sleep 1
  kill -HUP $!
  wait $! 2>/dev/null
  status=$?
  echo "nohup $name: exit status $status"
}

hang_up "sleep" sleep 3
[ "$status" = 0 ] || { echo "changed: nohup protects nothing here"; exit 1; }
for version in 20.20.2 26.12.1; do
  npm install --silent --no-save --prefix "$folder/$version" "node-$platform@$version" || exit 1
  node=$folder/$version/node_modules/node-$platform/bin/node
  hang_up "node $("$node" --version)" "$node" --eval "setTimeout(() => {}, 3000)"
  [ "$status" = 129 ] || { echo "changed: this is no longer so"; exit 1; }
done
