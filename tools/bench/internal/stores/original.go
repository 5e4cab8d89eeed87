package stores

import (
	"bufio"
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/cachebackends/cachebackends/simple"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

//go:embed original.py
var originalScript string

// python finds an interpreter that has Flask-Caching, and the versions. If
// BENCH_PYTHON names one, no other is asked.
var python = sync.OnceValues(func() (program, versions string) {
	candidates := []string{"python3", "/usr/bin/python3"}
	if program := os.Getenv("BENCH_PYTHON"); program != "" {
		candidates = []string{program}
	}
	const ask = `import platform; from importlib.metadata import version
import flask_caching, redis, pylibmc
print("Python " + platform.python_version(), *(p + " " + version(p) for p in ["Flask-Caching", "cachelib", "redis", "pylibmc"]), sep=", ")`
	for _, program := range candidates {
		if out, err := exec.Command(program, "-c", ask).Output(); err == nil {
			return program, strings.TrimSpace(string(out))
		}
	}
	return "", ""
})

const originalKeys = 100 // of a batch

// Original compares with Flask-Caching: the same loop, in Python.
func Original(group string) []measure.Series {
	const threshold = 500 // that of both
	inProcess := Kind{
		Start: func() (string, func(), error) { return "", func() {}, nil },
		Peers: []Peer{{open: func(string) (store, error) {
			return through(simple.New(ctx, simple.Options{Threshold: threshold}))
		}}},
	}
	var all []measure.Series
	for _, backend := range []struct {
		name   string
		kind   Kind
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
		k := Kind{Missing: func() string { return cmp.Or(missingPython(), missing(backend.kind)) }, Start: backend.kind.Start, Peers: []Peer{
			{Name: "cachebackends", Lacks: "nothing", Ours: true, open: backend.kind.Peers[0].open},
			{Name: "flask-caching", Lacks: "nothing: its backend of the same name; values are pickled", open: func(addr string) (store, error) {
				return openOriginal(backend.config(addr))
			}},
		}}
		all = append(all, k.Series(group+"/"+backend.name, Get(1), Set(1), GetMany(originalKeys), SetMany(originalKeys))...)
	}
	return all
}

func missing(k Kind) string {
	if k.Missing == nil {
		return ""
	}
	return k.Missing()
}

func missingPython() string {
	if program, _ := python(); program == "" {
		return "no python3 with flask_caching, redis and pylibmc"
	}
	return ""
}

// originalProcess is a running original.py.
type originalProcess struct {
	cmd     *exec.Cmd
	stdin   *bufio.Writer
	answers *bufio.Scanner
	errors  bytes.Buffer
	close   func()
}

func openOriginal(config map[string]any) (store, error) {
	setting, err := json.Marshal(config)
	if err != nil {
		return store{}, err
	}
	program, _ := python()
	p := &originalProcess{cmd: exec.Command(program, "-c", originalScript, string(setting), fmt.Sprint(originalKeys), fmt.Sprint(workload.ValueSize))}
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return store{}, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return store{}, err
	}
	p.cmd.Stderr = &p.errors
	p.stdin, p.answers = bufio.NewWriter(stdin), bufio.NewScanner(stdout)
	p.close = func() {
		stdin.Close() // which ends it
		p.cmd.Wait()
	}
	if err := p.cmd.Start(); err != nil {
		return store{}, err
	}
	return store{loop: p.loop, close: p.close}, p.expect("ready")
}

// loop makes so many calls.
func (p *originalProcess) loop(op string, calls int) error {
	fmt.Fprintln(p.stdin, op, calls)
	if err := p.stdin.Flush(); err != nil {
		return err
	}
	return p.expect("done")
}

func (p *originalProcess) expect(answer string) error {
	if p.answers.Scan() && p.answers.Text() == answer {
		return nil
	}
	p.close()
	text := strings.TrimSpace(p.errors.String())
	return errors.New("python: " + text[strings.LastIndex(text, "\n")+1:])
}
