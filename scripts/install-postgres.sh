#!/bin/sh
# Makes sure that `trunkline dev` and the tests find PostgreSQL, and cargo a C compiler (QuickJS is C).
# Silent and instant when both are there. Otherwise it installs the packages of Debian or Ubuntu, as root
# or through sudo; elsewhere it says what to install.
set -eu

# As crates/store/src/cluster/find_binaries.rs looks for them.
has_postgres() {
    on_path=$(command -v postgres || true)
    [ -z "$on_path" ] || on_path=$(dirname "$(readlink -f "$on_path")")
    for bin in ${on_path:+"$on_path"} /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/lib64/postgresql-*/bin \
        /usr/libexec/postgresql* /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin \
        /opt/local/lib/postgresql*/bin /Applications/Postgres.app/Contents/Versions/*/bin \
        /usr/local/pgsql/bin /opt/homebrew/bin; do
        [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] || continue
        major=$("$bin/postgres" -V 2>/dev/null | sed -n 's/.*(PostgreSQL) \([0-9]*\).*/\1/p')
        [ "${major:-0}" -lt 14 ] || return 0
    done
    return 1
}

missing=
has_postgres || missing=postgresql
command -v cc >/dev/null || missing="${missing:+$missing }gcc libc6-dev"
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    as_root="sudo -n"
fi
if ! command -v apt-get >/dev/null || ! $as_root true 2>/dev/null; then
    echo "Missing here: $missing (these are Debian's names). Install PostgreSQL 14 or newer and a C compiler; on Debian and Ubuntu: sudo apt-get install $missing" >&2
    exit 1
fi

echo "Installing $missing ..."
# We run clusters of our own: Debian shall not make and start one on the side.
createcluster=/etc/postgresql-common/createcluster.conf
if [ ! -e "$createcluster" ]; then
    $as_root mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" | $as_root tee "$createcluster" >/dev/null
fi
$as_root apt-get update -q </dev/null
# shellcheck disable=SC2086 # both are lists of words
$as_root env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 \
    apt-get install -q -y --no-install-recommends $missing </dev/null

has_postgres || {
    echo "apt-get has no PostgreSQL 14 or newer for this system: install one as https://www.postgresql.org/download/ says" >&2
    exit 1
}
