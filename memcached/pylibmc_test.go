package memcached

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// pylibmcScript checks that it finds what Go has stored, and stores as many entries. It gets
// the sockets of the servers as arguments.
const pylibmcScript = `
import sys
import pylibmc
client = pylibmc.Client(sys.argv[1:])
keys = ["go-%d" % i for i in range(300)]
print("found", sum(client.get(key) == key.encode() for key in keys))
for i in range(300):
    client.set("python-%d" % i, b"python-%d" % i)
`

// Both find the 300 entries of the other on three servers. testdata/distribution.json has
// the same without Python.
func TestPylibmc(t *testing.T) {
	server, err := exec.LookPath("memcached")
	if err != nil {
		t.Skip("needs memcached: ", err)
	}
	python := "/usr/bin/python3" // of the distribution, which has the package
	if err := exec.Command(python, "-c", "import pylibmc").Run(); err != nil {
		t.Skip("needs python3-pylibmc: ", err)
	}
	var sockets []string
	dir := t.TempDir()
	for i := range 3 {
		socket := filepath.Join(dir, fmt.Sprint(i))
		cmd := exec.Command(server, "-u", "root", "-s", socket)
		must(t, cmd.Start())
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		waitFor(t, "memcached", func() bool {
			conn, err := net.Dial("unix", socket)
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
		sockets = append(sockets, socket)
	}
	b := start(t, Options{Servers: sockets, Distribution: Pylibmc})
	var items []driver.Item
	var theirs []string
	for i := range 300 {
		key := fmt.Sprintf("go-%d", i)
		items = append(items, driver.Item{Key: key, Value: []byte(key)})
		theirs = append(theirs, fmt.Sprintf("python-%d", i))
	}
	must(t, b.SetMany(t.Context(), items, time.Hour))
	output, err := exec.Command(python, append([]string{"-c", pylibmcScript}, sockets...)...).CombinedOutput()
	if err != nil || strings.TrimSpace(string(output)) != "found 300" {
		t.Errorf("pylibmc: %s, %v; want 300 entries", output, err)
	}
	values, err := b.GetMany(t.Context(), theirs)
	must(t, err)
	for i, value := range values {
		if string(value) != theirs[i] {
			t.Errorf("%s = %q", theirs[i], value)
		}
	}
}
