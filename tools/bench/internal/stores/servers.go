package stores

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

// server is a program that is started for each series, unless the address of one that
// runs is in the environment.
type server struct {
	variable, program string
	args              func(port string) []string
}

var (
	redisServer = server{"BENCH_REDIS", "redis-server", func(port string) []string {
		return []string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"}
	}}
	memcachedServer = server{"BENCH_MEMCACHED", "memcached", func(port string) []string {
		return []string{"-p", port, "-l", "127.0.0.1", "-u", "root", "-m", "1024"}
	}}
	uwsgiServer = server{"BENCH_UWSGI", "uwsgi", func(port string) []string {
		return []string{"--plugins", "cache", "--socket", "127.0.0.1:" + port, "--cache2", "name=bench,items=10000",
			"--master", "--no-orphans", "--workers", "2", "--threads", "4", "--disable-logging", "--logto", os.DevNull}
	}}
)

// missing says why there is nothing to measure, and nothing if there is.
func (s server) missing() string {
	if os.Getenv(s.variable) != "" {
		return ""
	}
	if _, err := exec.LookPath(s.program); err != nil {
		return fmt.Sprintf("no address in %s and no %s on the PATH", s.variable, s.program)
	}
	return ""
}

// start returns when the server accepts connections.
func (s server) start() (addr string, stop func(), err error) {
	if addr := os.Getenv(s.variable); addr != "" {
		return addr, func() {}, nil
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr = free.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	free.Close()
	cmd := exec.Command(s.program, s.args(port)...)
	cmd.Dir = os.TempDir()
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	for range 500 {
		var conn net.Conn
		if conn, err = net.Dial("tcp", addr); err == nil {
			conn.Close()
			return addr, stop, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	return "", nil, fmt.Errorf("%s: %w", s.program, err)
}

// StartAll starts the servers that are on the PATH, for this process and those that it
// starts. It returns what stops them.
func StartAll() (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, end := range stops {
			end()
		}
	}
	for _, s := range []server{redisServer, memcachedServer, uwsgiServer} {
		if os.Getenv(s.variable) != "" || s.missing() != "" {
			continue
		}
		addr, end, err := s.start()
		if err != nil {
			stop()
			return nil, err
		}
		stops = append(stops, end)
		os.Setenv(s.variable, addr)
	}
	return stop, nil
}

// Versions is what the programs on the PATH report. A server at an address of the
// environment may be another.
func Versions() []string {
	var all []string
	for _, s := range []server{redisServer, memcachedServer, uwsgiServer} {
		if addr := os.Getenv(s.variable); addr != "" {
			all = append(all, s.program+" of "+s.variable)
		} else if out, err := exec.Command(s.program, "--version").Output(); err == nil {
			line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
			all = append(all, s.program+": "+line)
		}
	}
	return all
}
