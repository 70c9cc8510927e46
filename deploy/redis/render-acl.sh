#!/bin/sh
# Write the server's access list: users.acl with its namespace and the hashes of the passwords.
#
#   CAUSEWAY_NAMESPACE=paper CAUSEWAY_PASSWORD_RISK=... (one for each user) render-acl.sh > /run/users.acl
#   valkey-server --aclfile /run/users.acl ...
#
# Nothing is written, and the code is 1, where a variable is missing.
set -eu
here=$(dirname "$0")
namespace=${CAUSEWAY_NAMESPACE:?set the namespace}
case $namespace in *[!A-Za-z0-9_-]*) echo "CAUSEWAY_NAMESPACE: letters, digits, - and _ only" >&2; exit 1 ;; esac

edits="s/@NAMESPACE@/$namespace/g"
for user in MARKET_DATA STRATEGY RISK EXECUTION HEALTH OPERATOR; do
    eval "password=\${CAUSEWAY_PASSWORD_$user:-}"
    [ -n "$password" ] || { echo "CAUSEWAY_PASSWORD_$user is not set" >&2; exit 1; }
    hash=$(printf %s "$password" | sha256sum | cut -d ' ' -f 1)
    edits="$edits;s/@$user@/$hash/g"
done
sed "$edits" "$here/users.acl"
