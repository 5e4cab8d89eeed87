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
	candidates := []string{"python3", "/usr/bin/python3"}
	if program := os.Getenv("BENCH_PYTHON"); program != "" {
		candidates = []string{program}
	}
	for _, program := range candidates {
		if exec.Command(program, "-c", "import flask_caching, redis, pylibmc").Run() == nil {
			return program
		}
	}
	return ""
})

// Original compares with Flask-Caching: the same loop, in Python.
func Original(group string) []measure.Series {
	const threshold = 500 // that of both
	inProcess := Kind{start: noServer, peers: []peer{{open: func(string) (store, error) {
		return through(simple.New(ctx, simple.Options{Threshold: threshold}))
	}}}}
	var all []measure.Series
	for _, backend := range []struct {
		name string
		Kind
		config func(addr string) map[string]any
	}{
		{"simple", inProcess, func(string) map[string]any {
			return map[string]any{"CACHE_TYPE": "SimpleCache", "CACHE_THRESHOLD": threshold}
		}},
		{"filesystem", Files(os.TempDir(), threshold), func(addr string) map[string]any {
			return map[string]any{"CACHE_TYPE": "FileSystemCache", "CACHE_DIR": filepath.Join(addr, "theirs"), "CACHE_THRESHOLD": threshold}
		}},
		{"redis", Redis, func(addr string) map[string]any {
			host, port, _ := net.SplitHostPort(addr)
			return map[string]any{"CACHE_TYPE": "RedisCache", "CACHE_REDIS_HOST": host, "CACHE_REDIS_PORT": port, "CACHE_KEY_PREFIX": ""}
		}},
		{"memcached", Memcached, func(addr string) map[string]any {
			return map[string]any{"CACHE_TYPE": "MemcachedCache", "CACHE_MEMCACHED_SERVERS": []string{addr}}
		}},
	} {
		k := Kind{start: backend.start, peers: []peer{
			{"cachebackends", "nothing", true, backend.peers[0].open},
			{"flask-caching", "nothing: its backend of the same name; values are pickled", false, func(addr string) (store, error) {
				return openOriginal(backend.config(addr)), nil
			}},
		}}
		k.missing = func() string {
			if python() == "" {
				return "no python3 with flask_caching, redis and pylibmc"
			}
			if backend.missing == nil {
				return ""
			}
			return backend.missing()
		}
		all = append(all, k.Series(group+"/"+backend.name, "get/callers=1 set/callers=1 getmany/keys=100 setmany/keys=100")...)
	}
	return all
}

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
