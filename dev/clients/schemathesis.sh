#!/usr/bin/env bash
# Fuzzes a running gateway by its own OpenAPI document: every request that the document allows must be served, or refused
# with an answer that it allows too; every request that it forbids must be refused. All of schemathesis' checks, a fixed
# seed, bounded time.
#
# Needs UNWEAVE_URL and UNWEAVE_API_KEY (of an organization without rate limit: it sends thousands of requests, and
# deletes whatever it finds). CLIENTS_PYTHON is a Python with schemathesis in its environment. Options of `schemathesis
# run` may follow, such as `--phases coverage` or `--report junit --report-junit-path /ABSOLUTE/FILE`.
set -euo pipefail

: "${UNWEAVE_URL:?is not set: run \`make test\`, or \`make up\` and \`set -a; source .local/stack.env; set +a\`}"
: "${UNWEAVE_API_KEY:?is not set: run \`make test\`, or \`make up\` and \`set -a; source .local/stack.env; set +a\`}"
here=$(cd "$(dirname "$0")" && pwd)
python=$(realpath --no-symlinks "${CLIENTS_PYTHON:-$here/../../.local/venv/bin/python}")

# It keeps what it finds below the current folder; each run begins without.
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export PYTHONPATH=$here/fuzz PYTHONDONTWRITEBYTECODE=1 SCHEMATHESIS_HOOKS=hooks
"$python" "$here/fuzz/prepare.py" > schemathesis.toml
"$(dirname "$python")/schemathesis" --config-file schemathesis.toml run "$UNWEAVE_URL/openapi.json" "$@"
