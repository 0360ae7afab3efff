#!/bin/bash
# Imports a Debian with the toolbox's packages as the image NAME (default labernetes/toolbox-base:bookworm), for machines
# without an image registry. Wants root, debootstrap and a Debian mirror (the one of this machine's apt, or MIRROR).
# Does nothing when the image is there and the packages are the same.
set -euo pipefail
cd "$(dirname "$0")"
name=${1:-labernetes/toolbox-base:bookworm}
suite=${name##*:}
digest=$(sha256sum packages | cut -c1-16)
docker=${DOCKER:-docker}
if [[ $($docker image inspect -f '{{.Comment}}' "$name" 2>/dev/null) == "packages $digest" ]]; then
  echo "$name"
  exit 0
fi
command -v debootstrap >/dev/null || { echo 'debootstrap is missing: apt-get install debootstrap' >&2; exit 1; }
mirror=${MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' "Codename: $suite" 2>/dev/null | head -n 1)}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
debootstrap --variant=minbase --include="$(paste -sd, packages)" "$suite" "$folder/root" ${mirror:+"$mirror"} >"$folder/log" 2>&1 ||
  { tail -n 20 "$folder/log" >&2; exit 1; }
rm -rf "$folder"/root/var/cache/apt/archives/*.deb "$folder"/root/var/lib/apt/lists/*
tar -C "$folder/root" --numeric-owner -c . | $docker import --message "packages $digest" - "$name" >/dev/null
echo "$name"
