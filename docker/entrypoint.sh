#!/bin/sh
# Serves on all interfaces, so never without a key: makes and prints one where none is given, in any of the three ways.
set -eu
given="${OSTINATO_API_KEY:-}${OSTINATO_API_KEYS:-}${OSTINATO_API_KEYS_FILE:-}"
if [ "${1:-serve}" = serve ] && [ -z "$given" ] && [ -z "${OSTINATO_ALLOW_NO_KEY:-}" ]; then
  OSTINATO_API_KEY=$(python3 -c 'import secrets; print(secrets.token_urlsafe(24))')
  export OSTINATO_API_KEY
  echo "No OSTINATO_API_KEY given; for this run it is: $OSTINATO_API_KEY"
fi
exec ostinato "$@"
