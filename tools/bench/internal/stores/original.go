package stores

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cachebackends/cachebackends/simple"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

//go:embed original.py
var originalScript string

// python is an interpreter that has Flask-Caching: the one that BENCH_PYTHON names, or
// one of the usual names.
var python = sync.OnceValue(func() string {
	for _, program := range []string{os.Getenv("BENCH_PYTHON"), "python3", "/usr/bin/python3"} {
		if program != "" && exec.Command(program, "-c", "import flask_caching, redis, pylibmc").Run() == nil {
			return program
		}
	}
	return ""
})

// Original compares with Flask-Caching: the same loop, in Python.
func Original(name string) (all []measure.Series) {
	const threshold = 500 // that of both
	add := func(backend string, k Kind, settings func(addr string) map[string]any) {
		missing := k.Missing
		k.Missing = func() string {
			switch {
			case python() == "":
				return "no python3 with flask_caching, redis and pylibmc"
			case missing == nil:
				return ""
			}
			return missing()
		}
		k.peers = []peer{
			{"cachebackends", "nothing", true, k.peers[0].open},
			{"flask-caching", "nothing: its backend of the same name; values are pickled", false, func(addr string) (store, error) {
				return openOriginal(settings(addr)), nil
			}},
		}
		all = append(all, k.Series(name+"/"+backend, "get/callers=1 set/callers=1 getmany/keys=100 setmany/keys=100")...)
	}
	inProcess := Kind{Start: func() (string, func(), error) { return "", func() {}, nil }, peers: []peer{{open: func(string) (store, error) {
		return through(simple.New(ctx, simple.Options{Threshold: threshold}))
	}}}}
	add("simple", inProcess, func(string) map[string]any {
		return map[string]any{"CACHE_TYPE": "SimpleCache", "CACHE_THRESHOLD": threshold}
	})
	add("filesystem", Files(os.TempDir(), threshold), func(dir string) map[string]any {
		return map[string]any{"CACHE_TYPE": "FileSystemCache", "CACHE_DIR": filepath.Join(dir, "theirs"), "CACHE_THRESHOLD": threshold}
	})
	add("redis", Redis, func(addr string) map[string]any {
		host, port, _ := net.SplitHostPort(addr)
		return map[string]any{"CACHE_TYPE": "RedisCache", "CACHE_REDIS_HOST": host, "CACHE_REDIS_PORT": port, "CACHE_KEY_PREFIX": ""}
	})
	add("memcached", Memcached, func(addr string) map[string]any {
		return map[string]any{"CACHE_TYPE": "MemcachedCache", "CACHE_MEMCACHED_SERVERS": []string{addr}}
	})
	return all
}

// openOriginal runs original.py, which measures by itself, for the time of one turn.
func openOriginal(config map[string]any) store {
	return store{close: func() {}, measured: func(op string) (float64, error) {
		setting, err := json.Marshal(config)
		if err != nil {
			return 0, err
		}
		turn, _ := time.ParseDuration(flag.Lookup("test.benchtime").Value.String())
		out, err := exec.Command(python(), "-c", originalScript, string(setting), op, "100", fmt.Sprint(workload.ValueSize), fmt.Sprint(turn.Seconds())).Output()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			return 0, fmt.Errorf("python: %s", exit.Stderr)
		}
		ns, parseErr := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		return ns, cmp.Or(err, parseErr)
	}}
}
