#!/bin/sh
# Runs a program of the servers' image in the current directory, on the network of this
# machine, for at most ten minutes: sh run.sh PROGRAM [ARGUMENT...]
set -eu
dockerfile=$(dirname "$0")/Dockerfile
image=${CACHE_TEST_IMAGE:-cachebackends-servers:$(sha256sum "$dockerfile" | cut -c 1-12)}

docker image inspect "$image" >/dev/null
if [ "$(uname)" != Linux ] || docker info --format '{{.SecurityOptions}}' | grep -q name=rootless; then
	echo "containers cannot use the network of this machine" >&2
	exit 1
fi
exec docker run --rm --network host --user "$(id -u):$(id -g)" \
	--volume "$PWD:$PWD" --workdir "$PWD" --env CACHE_REDIS_URL "$image" timeout 10m "$@"
