package stores

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// server is a program that is started when it is first needed, unless the environment
// has the address of one that runs.
type server struct {
	variable, program string
	args              func(port string) []string
	nodes             int                        // 0 for one
	join              func(addrs []string) error // makes the nodes one store; nil for one node
}

var (
	redisServer = server{variable: "BENCH_REDIS", program: "redis-server", args: func(port string) []string {
		return []string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"}
	}}
	redisClusterServer = server{variable: "BENCH_REDIS_CLUSTER", program: "redis-server", args: func(port string) []string {
		return append(redisServer.args(port), "--cluster-enabled", "yes")
	}, nodes: 3, join: joinRedisCluster}
	memcachedServer = server{variable: "BENCH_MEMCACHED", program: "memcached", args: func(port string) []string {
		return []string{"-p", port, "-l", "127.0.0.1", "-u", "root", "-m", "1024"}
	}}
	uwsgiServer = server{variable: "BENCH_UWSGI", program: "uwsgi", args: func(port string) []string {
		return []string{"--plugins", "cache", "--socket", "127.0.0.1:" + port, "--cache2", "name=bench,items=10000",
			"--master", "--no-orphans", "--workers", "2", "--threads", "4", "--disable-logging", "--logto", os.DevNull}
	}}

	started []node
)

// node is a process and its directory.
type node struct {
	cmd *exec.Cmd
	dir string
}

// missing says why there is nothing to measure, and nothing if there is.
func (s server) missing() string {
	if _, err := exec.LookPath(s.program); err != nil && os.Getenv(s.variable) == "" {
		return fmt.Sprintf("no address in %s and no %s on the PATH", s.variable, s.program)
	}
	return ""
}

// start returns when the server accepts connections. Its address is then in the
// environment, for the processes that this one starts. Several nodes have several
// addresses, separated by commas.
func (s server) start() (addr string, release func(), err error) {
	release = func() {}
	if addr := os.Getenv(s.variable); addr != "" {
		return addr, release, nil
	}
	addrs := make([]string, max(s.nodes, 1))
	for i := range addrs {
		if addrs[i], err = s.startNode(); err != nil {
			return "", nil, fmt.Errorf("%s: %w", s.program, err)
		}
	}
	if s.join != nil {
		if err := s.join(addrs); err != nil {
			return "", nil, err
		}
	}
	addr = strings.Join(addrs, ",")
	return addr, release, os.Setenv(s.variable, addr)
}

func (s server) startNode() (addr string, err error) {
	addr, port, err := freePort()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return "", err
	}
	cmd := exec.Command(s.program, s.args(port)...)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		return "", errors.Join(err, os.Remove(dir))
	}
	started = append(started, node{cmd, dir})
	for range 500 {
		var conn net.Conn
		if conn, err = net.Dial("tcp", addr); err == nil {
			conn.Close()
			return addr, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return "", err
}

// freePort leaves room for the port of the bus of a cluster, which is 10000 higher.
func freePort() (addr, port string, err error) {
	for {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", err
		}
		addr := free.Addr().(*net.TCPAddr)
		free.Close()
		if addr.Port <= 65535-10000 {
			return addr.String(), strconv.Itoa(addr.Port), nil
		}
	}
}

// StopServers ends the servers that were started.
func StopServers() {
	for _, n := range started {
		n.cmd.Process.Kill()
		n.cmd.Wait()
		os.RemoveAll(n.dir)
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
