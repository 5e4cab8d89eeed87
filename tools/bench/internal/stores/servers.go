package stores

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

// server is a program that is started when it is first needed, unless the environment
// has the address of one that runs.
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

	started []*exec.Cmd
)

// missing says why there is nothing to measure, and nothing if there is.
func (s server) missing() string {
	if _, err := exec.LookPath(s.program); err != nil && os.Getenv(s.variable) == "" {
		return fmt.Sprintf("no address in %s and no %s on the PATH", s.variable, s.program)
	}
	return ""
}

// start returns when the server accepts connections. Its address is then in the
// environment, for the processes that this one starts.
func (s server) start() (addr string, release func(), err error) {
	release = func() {}
	if addr := os.Getenv(s.variable); addr != "" {
		return addr, release, nil
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr = free.Addr().String()
	free.Close()
	cmd := exec.Command(s.program, s.args(addr[strings.LastIndexByte(addr, ':')+1:])...)
	cmd.Dir = os.TempDir()
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	started = append(started, cmd)
	for range 500 {
		var conn net.Conn
		if conn, err = net.Dial("tcp", addr); err == nil {
			conn.Close()
			return addr, release, os.Setenv(s.variable, addr)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return "", nil, fmt.Errorf("%s: %w", s.program, err)
}

// StopServers ends the servers that were started.
func StopServers() {
	for _, cmd := range started {
		cmd.Process.Kill()
		cmd.Wait()
	}
	started = nil
}

// Versions is what the programs on the PATH report. A server at an address of the
// environment may be another.
func Versions() []string {
	var all []string
	for _, s := range []server{redisServer, memcachedServer, uwsgiServer} {
		if out, err := exec.Command(s.program, "--version").Output(); err == nil {
			all = append(all, s.program+" "+strings.Join(strings.Fields(string(out)), " "))
		}
	}
	return all
}
