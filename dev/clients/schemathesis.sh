#!/usr/bin/env bash
# Fuzzes a running gateway by its own OpenAPI document: every request that the document allows must be served, or refused
# with an answer that it allows too; every request that it forbids must be refused. All of schemathesis' checks, a fixed
# seed, bounded time.
#
# Needs UNWEAVE_URL and UNWEAVE_API_KEY (of an organization without rate limit: it sends thousands of requests, and
# deletes whatever it finds). CLIENTS_PYTHON is a Python with schemathesis in its environment. Options of `schemathesis
# run` may follow, such as `--phases coverage` or `--report junit --report-junit-path FILE`.
set -euo pipefail
cd "$(dirname "$0")/fuzz"

: "${UNWEAVE_URL:?is not set: run \`make test\`, or \`make up\` and \`set -a; source .local/stack.env; set +a\`}"
: "${UNWEAVE_API_KEY:?is not set: run \`make test\`, or \`make up\` and \`set -a; source .local/stack.env; set +a\`}"
python=${CLIENTS_PYTHON:-../../../.local/venv/bin/python}

config=$(mktemp --suffix .toml)
trap 'rm -f "$config"' EXIT
"$python" -B prepare.py > "$config"
export SCHEMATHESIS_HOOKS=hooks PYTHONDONTWRITEBYTECODE=1
"$(dirname "$python")/schemathesis" --config-file "$config" run "$UNWEAVE_URL/openapi.json" "$@"
