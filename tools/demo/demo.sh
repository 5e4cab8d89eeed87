#!/bin/sh
# Demonstrates cachectl and the library with a real job, and fails if a result is
# wrong. It requires Go and a Debian base system, and removes its files.
set -eu
cd "$(dirname "$0")/.."

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' HUP INT TERM
unset $(env | sed -n 's/^\(CACHE_[A-Z0-9_]*\)=.*/\1/p')
export GOWORK=off

fail() { echo "demo: $*" >&2; exit 1; }
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

echo "Building cachectl."
(cd cachectl && go build -buildvcs=false -o "$tmp/cachectl" .)
PATH=$tmp:$PATH
src=$(go env GOROOT)/src
export GOCACHE="$(go env GOCACHE)"
export XDG_CACHE_HOME="$tmp/cache" # where cachectl keeps its entries when nothing is configured

# The job finds the most common words in Go's own source. It appends a line to $RUNS
# in each run.
export RUNS="$tmp/runs"
job='echo run >>"$RUNS"
cd "$1"
find . -type f -name "*.go" | LC_ALL=C sort >"$RUNS.files"
echo "read $(wc -l <"$RUNS.files") files" >&2
xargs cat <"$RUNS.files" | tr -cs A-Za-z "\n" | LC_ALL=C sort | uniq -c | LC_ALL=C sort -k1,1nr -k2 | head -n 10'

# answer NAME [FLAGS]: runs the job through cachectl exec, writes its output to
# $tmp/NAME.out and $tmp/NAME.err, and sets $took to the milliseconds it took.
answer() {
	name=$1
	shift
	start=$(milliseconds)
	cachectl exec --timeout 10m "$@" -- sh -c "$job" words "$src" >"$tmp/$name.out" 2>"$tmp/$name.err" ||
		fail "exec exited with status $?: $(cat "$tmp/$name.err")"
	took=$(($(milliseconds) - start))
}

# same NAME: fails unless both outputs of NAME equal those of the first answer.
same() {
	cmp "$tmp/first.out" "$tmp/$1.out" && cmp "$tmp/first.err" "$tmp/$1.err" || fail "the answers differ"
}

# ran NUMBER: fails unless the job has run NUMBER times.
ran() { [ "$(wc -l <"$RUNS")" -eq "$1" ] || fail "the job ran $(wc -l <"$RUNS") times, not $1"; }

# twice NAME [FLAGS]: asks twice and compares the answers.
twice() {
	backend=$1
	shift
	before=$(wc -l <"$RUNS")
	answer "$backend.1" "$@"
	slow=$took
	answer "$backend.2" "$@"
	[ -e "$tmp/first.out" ] || { cp "$tmp/$backend.1.out" "$tmp/first.out"; cp "$tmp/$backend.1.err" "$tmp/first.err"; }
	same "$backend.1"
	same "$backend.2"
	ran $((before + 1))
	[ "$took" -lt "$slow" ] || fail "the second answer took $took ms, the first $slow ms"
	echo "   first $slow ms, second $took ms: the same bytes, $((slow / (took + (took == 0)))) times faster"
}
: >"$RUNS"

echo
echo "1. A slow job, twice, through cachectl exec. Without settings, entries are files of the user."
echo "   \$ cachectl exec --timeout 10m -- sh -c '... the most common words in Go ...'"
twice default
[ -s "$tmp/first.out" ] && [ -s "$tmp/first.err" ] || fail "the job printed nothing"
sed -n '1,3s/^/   |/p' "$tmp/first.out"
echo "   stdout sha256 $(sha256sum <"$tmp/first.out" | cut -c 1-16)..., stderr: $(cat "$tmp/first.err")"

echo
echo "2. The same with settings from the environment and the backend by its Flask-Caching name."
echo "   \$ CACHE_TYPE=FileSystemCache CACHE_FLASK=false CACHE_DIR=... CACHE_KEY_PREFIX=demo: cachectl exec ..."
# CACHE_FLASK is given, or a warning would ask whether Flask shares the entries.
export CACHE_TYPE=FileSystemCache CACHE_FLASK=false CACHE_DIR="$tmp/by-environment" CACHE_KEY_PREFIX=demo:
twice environment
unset CACHE_TYPE CACHE_FLASK CACHE_DIR CACHE_KEY_PREFIX

echo
echo "3. The same with settings from a JSON file, and four concurrent callers."
cat >"$tmp/config.json" <<END
{"CACHE_TYPE": "filesystem", "CACHE_DIR": "$tmp/by-file", "CACHE_FILE_HASH_METHOD": "sha512", "CACHE_THRESHOLD": 50}
END
echo "   \$ cachectl --config config.json exec ... &   # four times"
before=$(wc -l <"$RUNS")
callers=
for caller in 1 2 3 4; do
	answer "caller$caller" --config "$tmp/config.json" &
	callers="$callers $!"
done
for caller in $callers; do
	wait "$caller" || fail "a caller failed"
done
for caller in 1 2 3 4; do
	same "caller$caller"
done
ran $((before + 1))
answer late --config "$tmp/config.json"
same late
ran $((before + 1))
echo "   four callers, one run; a fifth caller gets the same bytes in $took ms"

echo
echo "4. Without caching (CACHE_TYPE=null), the command runs each time."
before=$(wc -l <"$RUNS")
for call in 1 2; do
	CACHE_TYPE=null CACHE_NO_NULL_WARNING=1 cachectl exec -- sh -c 'echo run >>"$RUNS"'
done
ran $((before + 2))
echo "   two calls, two runs"

echo
echo "5. The library in a program: cache.Of[User] and GetOrSet with the simple backend (tools/demo/main.go)."
(cd demo && go run -buildvcs=false .)

echo
echo "6. A Flask application and a program in Go share a cache in redis (tools/docs/programs/flask)."
python=/usr/bin/python3
if command -v redis-server >/dev/null && $python -c "import flask_caching, redis" 2>/dev/null; then
	redis-server --port 0 --unixsocket "$tmp/redis.sock" --save "" --dir "$tmp" >"$tmp/redis.log" &
	redis=$!
	trap 'kill $redis 2>/dev/null || :; rm -rf "$tmp"' EXIT
	for try in $(seq 100); do [ -S "$tmp/redis.sock" ] && break; sleep 0.05; done
	export CACHE_REDIS_URL="unix://$tmp/redis.sock"
	flask() { (cd docs/programs/flask && $python -B -c "import app; app.main()"); }
	{ flask; (cd docs && go run -buildvcs=false ./programs/flask); flask; } >"$tmp/flask.out"
	cmp "$tmp/flask.out" docs/programs/flask/output.txt || fail "Flask and Go do not share the cache"
	unset CACHE_REDIS_URL
	sed 's/^/   |/' "$tmp/flask.out"
else
	echo "   skipped: it requires redis-server, python3-flask-caching and python3-redis"
fi

echo
echo "All results are as expected."
