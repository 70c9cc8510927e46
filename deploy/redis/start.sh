#!/bin/sh
# Start the bus as it is deployed: write the access list from the environment's passwords, then the server.
# Mounted beside render-acl.sh, users.acl and valkey.conf. RUN_DIR is memory, so no hash rests on a disk;
# DATA_DIR is the volume of the append-only log. More arguments go to the server.
set -eu
here=$(dirname "$0")
acl=${RUN_DIR:-/run/valkey}/users.acl
umask 077
sh "$here/render-acl.sh" > "$acl"
# the server has no use for the passwords
exec env -i PATH="$PATH" valkey-server "$here/valkey.conf" --aclfile "$acl" --dir "${DATA_DIR:-/data}" "$@"
