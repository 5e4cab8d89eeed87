package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
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

	"github.com/cachebackends/cachebackends/memcached"
	"github.com/cachebackends/cachebackends/redis"
)

//go:embed original.py
var originalScript string

// python finds an interpreter that has Flask-Caching, and what it says of the
// versions. The one that BENCH_PYTHON names is asked alone.
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
			return program, firstLine(out)
		}
	}
	return "", ""
})

func missingPython() string {
	if program, _ := python(); program == "" {
		return "no python3 with flask_caching, redis and pylibmc"
	}
	return ""
}

// originalSeries compare with Flask-Caching: the same loop, in Python.
func originalSeries() []series {
	const threshold = 500 // that of both
	var all []series
	for _, r := range []remote{
		{"simple", "", startNothing, []remotePeer{{open: simpleRemote().peers[0].open}, original(func(string) map[string]any {
			return map[string]any{"CACHE_TYPE": "SimpleCache", "CACHE_THRESHOLD": threshold}
		})}},
		{"filesystem", "", filesystemRemote(os.TempDir()).start, []remotePeer{{open: filesystemRemote("").peers[0].open}, original(func(addr string) map[string]any {
			return map[string]any{"CACHE_TYPE": "FileSystemCache", "CACHE_DIR": filepath.Join(addr, "theirs"), "CACHE_THRESHOLD": threshold}
		})}},
		{"redis", redisRemote().missing, startRedis, []remotePeer{{open: func(addr string) (remoteStore, error) {
			return storeOfCache(redis.New(context.Background(), redis.Options{Addr: addr}))
		}}, original(func(addr string) map[string]any {
			host, port, _ := net.SplitHostPort(addr)
			return map[string]any{"CACHE_TYPE": "RedisCache", "CACHE_REDIS_HOST": host, "CACHE_REDIS_PORT": port, "CACHE_KEY_PREFIX": ""}
		})}},
		{"memcached", memcachedRemote().missing, startMemcached, []remotePeer{{open: func(addr string) (remoteStore, error) {
			return storeOfCache(memcached.New(context.Background(), memcached.Options{Servers: []string{addr}}))
		}}, original(func(addr string) map[string]any {
			return map[string]any{"CACHE_TYPE": "MemcachedCache", "CACHE_MEMCACHED_SERVERS": []string{addr}}
		})}},
	} {
		for i := range r.peers {
			r.peers[i].batches = true
			r.peers[i].name = cmp.Or(r.peers[i].name, "cachebackends")
		}
		r.missing = cmp.Or(missingPython(), r.missing)
		for _, op := range []string{"get", "set", "getmany", "setmany"} {
			all = append(all, r.seriesOf("Original", r.group, op, call(op, 1)))
		}
	}
	return all
}

// original is Flask-Caching, set up for a server or a directory.
func original(config func(addr string) map[string]any) remotePeer {
	return remotePeer{name: "flask-caching", open: func(addr string) (remoteStore, error) {
		p, err := startOriginal(config(addr))
		if err != nil {
			return remoteStore{}, err
		}
		return remoteStore{loop: p.loop, close: p.close}, nil
	}}
}

// originalProcess is a running original.py.
type originalProcess struct {
	cmd     *exec.Cmd
	stdin   *bufio.Writer
	answers *bufio.Scanner
	errors  bytes.Buffer
	close   func()
}

func startOriginal(config map[string]any) (*originalProcess, error) {
	setting, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	program, _ := python()
	p := &originalProcess{cmd: exec.Command(program, "-c", originalScript, string(setting), fmt.Sprint(batchKeys), fmt.Sprint(valueSize))}
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stderr = &p.errors
	p.stdin, p.answers = bufio.NewWriter(stdin), bufio.NewScanner(stdout)
	p.close = func() {
		stdin.Close() // which ends it
		p.cmd.Wait()
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, p.expect("ready")
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
