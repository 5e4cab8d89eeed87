package servers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Uwsgi is a uWSGI server of two workers with four threads each, which keeps two
// caches, "first" and "second", and runs a Python program beside them.
type Uwsgi struct {
	Machine
	Addr   string // of its uwsgi protocol over TCP
	Socket string // the same over a unix socket
	URL    string // of the program
}

// What the caches hold at most: the server keeps one item less than it is told.
const (
	UwsgiItems     = 20_000
	UwsgiBlockSize = 16 << 10
)

// StartUwsgi starts a server that runs program, the text of a WSGI module. When it
// dies it is started again, with empty caches.
func StartUwsgi(t *testing.T, program string) *Uwsgi {
	t.Helper()
	dir, err := os.MkdirTemp("", "uwsgi") // not t.TempDir, whose paths are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ports := FreePorts(t, 2)
	list := addrs(ports)
	u := &Uwsgi{Addr: list[0], URL: "http://" + list[1], Socket: filepath.Join(dir, "uwsgi.sock")}
	cache := fmt.Sprintf("items=%d,blocksize=%d", UwsgiItems+1, UwsgiBlockSize)
	u.Machine = Start(t, Spec{
		Needs: []string{"uwsgi"}, Ports: ports, Dirs: []string{dir}, Files: map[string]string{"program.py": program},
		Script: fmt.Sprintf("while :; do uwsgi --plugins cache,python3 --master --no-orphans --die-on-term --workers 2 --threads 4"+
			" --disable-logging --pidfile $PWD/uwsgi.pid --socket $BIND:%d --http-socket $BIND:%d --socket %s --chmod-socket=666"+
			" --cache2 name=first,%[4]s --cache2 name=second,%[4]s --wsgi-file program.py || sleep 0.1; done",
			ports[0], ports[1], u.Socket, cache),
	})
	u.await(t)
	return u
}

// StartOtherUwsgi starts a server with other arguments, the last of which is followed by
// the address. It returns the address.
func StartOtherUwsgi(t *testing.T, args string) (addr string) {
	t.Helper()
	ports := FreePorts(t, 1)
	u := &Uwsgi{Addr: addrs(ports)[0]}
	u.Machine = Start(t, Spec{
		Needs: []string{"uwsgi"}, Ports: ports,
		Script: fmt.Sprintf("exec uwsgi --master --no-orphans --die-on-term --workers 2 --disable-logging %s $BIND:%d", args, ports[0]),
	})
	u.await(t)
	return u.Addr
}

// Version is that of the server.
func (u *Uwsgi) Version(t *testing.T) string {
	t.Helper()
	return version(t, u.Machine, "uwsgi")
}

// Kill kills the server, as a crash would, and waits until another has come up.
func (u *Uwsgi) Kill(t *testing.T) {
	t.Helper()
	u.run(t, `old=$(cat uwsgi.pid); kill -9 $old; for i in $(seq 300); do [ "$(cat uwsgi.pid)" = $old ] || exit 0; sleep 0.1; done; exit 1`)
	u.await(t)
}

// Freeze stops all workers: the server accepts connections and does not reply.
func (u *Uwsgi) Freeze(t *testing.T) {
	t.Helper()
	u.run(t, "for p in "+uwsgiWorkers+"; do "+freeze+"; done")
}

// Thaw ends Freeze.
func (u *Uwsgi) Thaw(t *testing.T) {
	t.Helper()
	u.run(t, "kill -CONT "+uwsgiWorkers)
}

const uwsgiWorkers = `$(cat /proc/$(cat uwsgi.pid)/task/$(cat uwsgi.pid)/children)`

func (u *Uwsgi) run(t *testing.T, script string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	if out, err := u.Exec(ctx, script); err != nil {
		t.Fatalf("%v: %s\nthe server printed:\n%s", err, out, u.logs())
	}
}

// await waits until a worker answers: the server listens before it has workers, which a
// busy machine starts seconds later.
func (u *Uwsgi) await(t *testing.T) {
	t.Helper()
	network, addr := "unix", u.Socket
	if addr == "" {
		network, addr = "tcp", u.Addr
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if answers(network, addr) {
			return
		}
	}
	t.Fatalf("the server does not become ready; it printed:\n%s", u.logs())
}

// answers reports whether a worker takes a request to look for a key. What it answers
// depends on the plugins; some only close the connection.
func answers(network, addr string) bool {
	conn, err := net.Dial(network, addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	var words []byte
	for _, word := range []string{"cmd", "exists", "key", "ready", "cache", "first"} {
		words = append(binary.LittleEndian.AppendUint16(words, uint16(len(word))), word...)
	}
	const cacheRequest, asDictionary = 111, 17
	request := append(binary.LittleEndian.AppendUint16([]byte{cacheRequest}, uint16(len(words))), asDictionary)
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write(append(request, words...)); err != nil {
		return false
	}
	_, err = conn.Read(make([]byte, 1))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}
