#!/bin/sh
# Makes the image that the integration tests start their servers from, unless it
# is there. Where the registry of the base image cannot be reached, the base is
# made of Debian's packages. Without a Docker engine there is nothing to do: the
# servers are then started as processes, where their binaries are on PATH.
set -eu
cd "$(dirname "$0")"

# The tag changes with the Dockerfile, so that no old image is used.
image=${CACHE_TEST_IMAGE:-cachebackends-servers:$(sha256sum Dockerfile | cut -c 1-12)}
base=debian:bookworm-slim

if ! docker version >/dev/null 2>&1; then
	echo "no Docker engine: servers are taken from PATH"
	exit 0
fi
if docker image inspect "$image" >/dev/null 2>&1; then
	exit 0
fi
if ! docker image inspect "$base" >/dev/null 2>&1 && ! docker pull "$base"; then
	echo "making $base with debootstrap"
	command -v debootstrap >/dev/null || { apt-get update && apt-get install --yes debootstrap; }
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	debootstrap --variant=minbase bookworm "$dir"
	tar -C "$dir" -c . | docker import - "$base"
fi
docker build --tag "$image" .
