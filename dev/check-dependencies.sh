#!/usr/bin/env bash
# Who may depend on whom. The rules keep each technology in the one crate that owns it.
set -euo pipefail
cd "$(dirname "$0")/.."

services=(api-gateway sync-worker cleanup-worker unweave-cli)
failed=0

complain() {
    echo "dependency rule broken: $1" >&2
    failed=1
}

# The crates of the workspace as "name folder".
members() {
    cargo metadata --no-deps --format-version 1 | python3 -c '
import json, os, sys
metadata = json.load(sys.stdin)
for package in metadata["packages"]:
    print(package["name"], os.path.relpath(os.path.dirname(package["manifest_path"]), metadata["workspace_root"]))'
}

# What a crate names in its own Cargo.toml, with default features. Kinds: normal, build, dev.
direct() {
    cargo tree -p "$1" -e "$2" --depth 1 --prefix none | tail -n +2 | awk '{print $1}'
}

is_service() {
    local service
    for service in "${services[@]}"; do [[ "$1" == "$service" ]] && return 0; done
    return 1
}

# shared-models is the vocabulary: it does no I/O.
forbidden='^(tokio|actix.*|lapin|reqwest|diesel.*)$'
if found=$(cargo tree -p shared-models -e normal --prefix none | awk '{print $1}' | grep -E "$forbidden" | sort -u); then
    complain "shared-models must not depend on: $(echo "$found" | paste -sd ' ')"
fi

# Assigned first: a command that fails inside <(…) would pass unnoticed.
crates=$(members)
while read -r name folder; do
    all=$(direct "$name" normal,build,dev)
    shipped=$(direct "$name" normal,build)
    while read -r dependency; do
        if is_service "$dependency" && [[ "$dependency" != "$name" ]]; then
            if is_service "$name"; then complain "$name is a service and depends on the service $dependency"; fi
            if [[ "$name" == shared-* ]]; then complain "$name is shared and depends on the service $dependency"; fi
        fi
    done <<< "$all"

    # Tests may look at the other side of what they test.
    while read -r dependency; do
        case "$dependency" in
            lapin)
                [[ "$name" == shared-messaging ]] || complain "only shared-messaging touches RabbitMQ, not $name" ;;
            diesel | diesel-async | diesel_migrations)
                [[ "$name" == shared-database || "$folder" == dev/* ]] ||
                    complain "only shared-database speaks Diesel, not $name ($dependency)" ;;
            reqwest)
                # The command is a client of the API, too.
                [[ "$name" == shared-stores || "$name" == shared-sources || "$name" == unweave-cli ||
                    "$folder" == dev/* ]] ||
                    complain "only shared-stores, shared-sources and unweave-cli make HTTP requests, not $name" ;;
        esac
    done <<< "$shipped"

    if [[ "$name" != shared-stores && "$folder" != dev/* ]] && grep -rn --include='*.rs' '/document/v1' "$folder/src"; then
        complain "only shared-stores knows Vespa's URLs, not $name"
    fi
    # What a reader needs to reach folders and servers; the gateway checks what owners ask for, and reads nothing.
    if [[ "$name" != shared-sources && "$name" != sync-worker ]] &&
        grep -rnE --include='*.rs' '\b(SourceAccess|SourceSettings)\b' "$folder/src"; then
        complain "only the sync-worker reads sources, not $name"
    fi
done <<< "$crates"

[[ "$failed" == 0 ]] && echo "The dependency rules hold."
exit "$failed"
