// Package servers starts real servers for the integration tests: in a container
// of one image or, without Docker, as processes of this machine. Either way the
// servers of a test are one shell script, and listen on loopback.
package servers

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"sync/atomic"
	"testing"
)

// Dockerfile describes the image with every server that the tests know, which build.sh
// makes. CACHE_TEST_IMAGE names another.
//
//go:embed Dockerfile
var Dockerfile []byte

// Spec says what to start.
type Spec struct {
	// Needs are the programs that the script starts.
	Needs []string
	// Ports are those the servers listen on, the same inside and outside of the
	// container, so that servers may send clients each other's addresses.
	Ports []int
	// Dirs are directories of this machine, which the script finds under the same
	// paths: clients reach unix sockets there.
	Dirs []string
	// Files are written to the working directory of the script beforehand.
	Files map[string]string
	// Script runs under sh -e and ends with the servers: exec one, or wait for all.
	// They listen on $BIND, which clients reach as 127.0.0.1.
	Script string
}

// Machine is where the servers of a test run.
type Machine interface {
	// Exec runs a further script beside the first, in the same directory, and
	// returns what it printed.
	Exec(ctx context.Context, script string) (string, error)
	// stop ends all servers and removes what they left.
	stop()
	// logs is what the servers printed.
	logs() string
}

// Start runs spec until the end of the test. Without Docker and without the
// programs the test is skipped with a reason or, under CONFORMANCE_STRICT=1, fails.
// It does not wait until the servers answer.
func Start(t *testing.T, spec Spec) Machine {
	t.Helper()
	m, err := start(t, spec)
	if err != nil {
		missing(t, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the servers printed:\n%s", m.logs())
		}
		m.stop()
	})
	return m
}

func start(t *testing.T, spec Spec) (Machine, error) {
	docker, errDocker := newContainer(spec)
	if errDocker == nil {
		return docker, nil
	}
	t.Logf("no container, so the servers are taken from PATH: %v", errDocker)
	for _, program := range spec.Needs {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("no container (%w), and %s is not on PATH", errDocker, program)
		}
	}
	return newProcess(spec)
}

// missing ends a test whose server cannot be had.
func missing(t *testing.T, err error) {
	t.Helper()
	text := fmt.Sprintf("%v: start Docker and run conformance/integration/servers/build.sh, or install the server", err)
	if os.Getenv("CONFORMANCE_STRICT") == "1" {
		t.Fatal(text)
	}
	t.Skip(text)
}

// freeze stops the process $p and waits until every thread has stopped, which the signal
// does not wait for.
const freeze = "kill -STOP $p; while grep -h ^State: /proc/$p/task/*/status | grep -qv 'T (stopped)'; do sleep 0.01; done"

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+`)

// version asks a program of m for its version.
func version(t *testing.T, m Machine, program string) string {
	t.Helper()
	printed, err := m.Exec(t.Context(), program+" --version")
	if err != nil {
		t.Fatal(err)
	}
	return versionNumber.FindString(printed)
}

func image() string {
	if image := os.Getenv("CACHE_TEST_IMAGE"); image != "" {
		return image
	}
	return fmt.Sprintf("cachebackends-servers:%.6x", sha256.Sum256(Dockerfile))
}

// FreePorts returns n ports of loopback on which no process listens, below those that
// the system gives out by itself, and with port + 10000 free as well: Redis
// Cluster has its bus there.
func FreePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for tries := 0; len(ports) < n; tries++ {
		if tries == portSpan {
			t.Fatalf("there are no %d free ports", n)
		}
		port := firstPort + int(nextPort.Add(1))%portSpan
		if isFree(port) && isFree(port+10000) {
			ports = append(ports, port)
		}
	}
	return ports
}

const firstPort, portSpan = 20000, 2500

// nextPort goes round, so that a port which has just been given up rests.
var nextPort atomic.Int64

func init() { nextPort.Store(int64(os.Getpid())) }

func isFree(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}
