package servers_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
)

// A server is reachable from here, and scripts run beside it.
func TestStart(t *testing.T) {
	port := servers.FreePorts(t, 1)[0]
	m := servers.Start(t, servers.Spec{
		Needs: []string{"redis-server"}, Ports: []int{port}, Files: map[string]string{"greeting": "hello"},
		Script: fmt.Sprintf("exec redis-server --bind $BIND --port %d --save '' --protected-mode no", port),
	})
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	if pong := ask(t, addr, "PING\r\n"); pong != "+PONG\r\n" {
		t.Errorf("PING is answered with %q", pong)
	}
	out, err := m.Exec(t.Context(), "cat greeting")
	if err != nil || out != "hello" {
		t.Errorf("Exec = %q, %v", out, err)
	}
	if _, err := m.Exec(t.Context(), "exit 3"); err == nil {
		t.Error("a script that fails is no error")
	}
}

// ask sends a request as soon as somebody listens.
func ask(t *testing.T, addr, request string) string {
	t.Helper()
	reply := make([]byte, 100)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		fmt.Fprint(conn, request)
		conn.SetReadDeadline(time.Now().Add(time.Second))
		n, err := conn.Read(reply)
		conn.Close()
		if err == nil {
			return string(reply[:n])
		}
	}
	t.Fatal("no answer")
	return ""
}

// Nothing is left behind, neither at the end of a test nor of a process.
func TestServersEnd(t *testing.T) {
	port := servers.FreePorts(t, 1)[0]
	t.Run("server", func(t *testing.T) {
		servers.Start(t, servers.Spec{
			Needs: []string{"redis-server"}, Ports: []int{port},
			Script: fmt.Sprintf("redis-server --bind $BIND --port %d --save '' --protected-mode no & wait", port),
		})
		ask(t, fmt.Sprintf("127.0.0.1:%d", port), "PING\r\n")
	})
	if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
		conn.Close()
		t.Error("the server still listens after its test")
	}
}

// The child of TestServersEndWithTheProcess: it starts a server and is killed.
func TestKilled(t *testing.T) {
	port, err := strconv.Atoi(os.Getenv("SERVERS_TEST_PORT"))
	if err != nil {
		t.Skip("only as a child of TestServersEndWithTheProcess")
	}
	servers.Start(t, servers.Spec{
		Needs: []string{"redis-server"}, Ports: []int{port},
		Script: fmt.Sprintf("exec redis-server --bind $BIND --port %d --save '' --protected-mode no", port),
	})
	ask(t, fmt.Sprintf("127.0.0.1:%d", port), "PING\r\n")
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

func TestServersEndWithTheProcess(t *testing.T) {
	port := servers.FreePorts(t, 1)[0]
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
	child.Env = append(os.Environ(), fmt.Sprintf("SERVERS_TEST_PORT=%d", port))
	out, err := child.CombinedOutput()
	if err == nil || !strings.Contains(err.Error(), "killed") {
		if err == nil && os.Getenv("CONFORMANCE_STRICT") != "1" {
			t.Skip("there is no server to start")
		}
		t.Fatalf("the child was not killed: %v\n%s", err, out)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(end) {
			t.Fatal("the server still listens long after its process was killed")
		}
	}
}
