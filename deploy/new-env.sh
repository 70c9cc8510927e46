#!/bin/sh
# Write the variables that compose.yaml needs, with fresh passwords:
#
#   (umask 077; sh deploy/new-env.sh > deploy/.env)
#
# With the argument `secret`: the same as a Kubernetes Secret, for a PostgreSQL of your own:
#
#   DATABASE_URL=postgresql://causeway:...@host/causeway sh deploy/new-env.sh secret | kubectl -n causeway apply -f -
set -eu
fresh() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }  # hexadecimal: safe in a URL

if [ "${1:-}" = secret ]; then
    : "${DATABASE_URL:?set it to the URL of the ledger}"
    case $DATABASE_URL in *\'*) echo "DATABASE_URL: write a quote as %27" >&2; exit 1 ;; esac
    printf 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: ledger\nstringData:\n'
    printf "  DATABASE_URL: '%s'\n---\n" "$DATABASE_URL"
    printf 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: bus-passwords\nstringData:\n'
    prefix='  ' sign=': '
else
    for name in POSTGRES_PASSWORD GRAFANA_PASSWORD; do printf '%s=%s\n' $name "$(fresh)"; done
    prefix='' sign='='
fi
for user in MARKET_DATA STRATEGY RISK EXECUTION HEALTH OPERATOR; do
    value=$(fresh)
    [ "$sign" = '=' ] || value="\"$value\""
    printf '%sCAUSEWAY_PASSWORD_%s%s%s\n' "$prefix" $user "$sign" "$value"
done
