package memcached

import (
	"encoding/hex"
	"encoding/json"
	stdflag "flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

var updateClients = stdflag.Bool("update", false, "write testdata/clients.json with the installed clients, and the table in README.md")

// otherClient is what another client has read of Go's entries, and what it has stored.
type otherClient struct {
	Client   string `json:"client"`
	Version  string `json:"version"`
	Language string `json:"language"`
	Reads    string `json:"reads"`  // of Go's integer 42
	Text     string `json:"text"`   // of Go's "text"
	Counts   string `json:"counts"` // the sum after it has added 1

	// What it stores for the number 7, for a counter that is 7, and for the text "text".
	Stored map[string]storedItem `json:"stored"`
}

type storedItem struct {
	Flags uint32 `json:"flags"`
	Data  string `json:"data"` // hexadecimal
}

func (s storedItem) item(t *testing.T) wire.Item {
	t.Helper()
	data, err := hex.DecodeString(s.Data)
	must(t, err)
	return wire.Item{Value: data, Flags: s.Flags}
}

// clientScripts are the programs of the clients in testdata/clients.
var clientScripts = []struct{ interpreter, script string }{
	{"/usr/bin/python3", "pylibmc.py"}, {"/usr/bin/python3", "memcache.py"},
	{"/usr/bin/ruby", "dalli.rb"}, {"/usr/bin/ruby", "rails.rb"}, {"/usr/bin/php", "memcached.php"},
}

func goldenClients(t *testing.T) (clients []otherClient) {
	t.Helper()
	data, err := os.ReadFile("testdata/clients.json")
	must(t, err)
	must(t, json.Unmarshal(data, &clients))
	return clients
}

// What clients of other languages store, as testdata/clients.json has it, is what Go
// reads and counts: the table in README.md says which values.
func TestOtherClients(t *testing.T) {
	clients := goldenClients(t)
	if len(clients) != len(clientScripts) {
		t.Errorf("%d clients in testdata/clients.json, want %d", len(clients), len(clientScripts))
	}
	b := new(Backend)
	for _, c := range clients {
		if c.Reads != "42" || c.Counts != "43" || c.Text != "text" {
			t.Errorf("%s reads Go's number 42 as %q, its text as %q, and counts to %q", c.Client, c.Reads, c.Text, c.Counts)
		}
		counter := c.Stored["counter"].item(t)
		if n, ok := b.numberIn(counter); n != 7 || !ok {
			t.Errorf("Inc refuses the counter of %s: %q with flags %d", c.Client, counter.Value, counter.Flags)
		}
		if value, err := b.value(counter); string(value) != "7" || err != nil {
			t.Errorf("the counter of %s is read as %q, %v", c.Client, value, err)
		}
	}
	const begin, end = "<!-- clients: generated -->\n", "<!-- end of clients -->\n"
	readme, err := os.ReadFile("README.md")
	must(t, err)
	before, rest, ok := strings.Cut(string(readme), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("README.md has lost the marks of the table of clients")
	}
	want := before + begin + clientTable(t, clients) + end + after
	switch {
	case *updateClients:
		must(t, os.WriteFile("README.md", []byte(want), 0o644))
	case string(readme) != want:
		t.Error("the table of clients in README.md is stale: go test -run OtherClients -update")
	}
}

func clientTable(t *testing.T, clients []otherClient) string {
	var table strings.Builder
	table.WriteString("| client | reads and counts our integers | its counters in Go | its integers in Go | its text in Go |\n|---|---|---|---|---|\n")
	b := new(Backend)
	cell := func(c otherClient, name, want string) string {
		it := c.Stored[name].item(t)
		if value, err := b.value(it); string(value) == want && err == nil {
			return fmt.Sprintf("yes (flags %d)", it.Flags)
		}
		return fmt.Sprintf("no: its own format (flags %d)", it.Flags)
	}
	for _, c := range clients {
		ours := "no"
		if c.Reads == "42" && c.Counts == "43" {
			ours = "yes"
		}
		fmt.Fprintf(&table, "| %s %s (%s) | %s | %s | %s | %s |\n", c.Client, c.Version, c.Language, ours,
			cell(c, "counter", "7"), cell(c, "number", "7"), cell(c, "text", "text"))
	}
	return table.String()
}

// The installed clients still do what testdata/clients.json says. Those that are missing
// are not tested: go test -run Clients -update needs all of them.
func TestInstalledClients(t *testing.T) {
	server, err := exec.LookPath("memcached")
	if err != nil {
		t.Skip("needs memcached; the golden file is tested: ", err)
	}
	golden := map[string]otherClient{}
	for _, c := range goldenClients(t) {
		golden[c.Client] = c
	}
	var found []otherClient
	for _, s := range clientScripts {
		c, ok := runClient(t, server, s.interpreter, filepath.Join("testdata", "clients", s.script))
		if !ok {
			continue
		}
		found = append(found, c)
		known := golden[c.Client]
		if *updateClients {
			continue
		}
		for name, stored := range c.Stored {
			if stored.Flags != known.Stored[name].Flags {
				t.Errorf("%s %s stores %s with flags %d, %s with %d", c.Client, c.Version, name, stored.Flags, known.Version, known.Stored[name].Flags)
			}
		}
		if c.Reads != known.Reads || c.Counts != known.Counts || c.Text != known.Text {
			t.Errorf("%s %s reads %q, counts %q and reads %q; %s %q, %q and %q", c.Client, c.Version, c.Reads, c.Counts, c.Text, known.Version, known.Reads, known.Counts, known.Text)
		}
	}
	if *updateClients {
		if len(found) != len(clientScripts) {
			t.Fatalf("%d of %d clients are installed", len(found), len(clientScripts))
		}
		data, err := json.MarshalIndent(found, "", "\t")
		must(t, err)
		must(t, os.WriteFile("testdata/clients.json", append(data, '\n'), 0o644))
	}
}

// runClient runs a script over a server of its own, after Go has stored a number that it
// counts, and a text. It reports false if the client is not installed.
func runClient(t *testing.T, server, interpreter, script string) (c otherClient, ok bool) {
	t.Helper()
	addr := startMemcached(t, server)
	b, ctx := start(t, Options{Servers: []string{addr}}), t.Context()
	if sum, err := b.Inc(ctx, "go-number", 42, time.Hour); sum != 42 || err != nil {
		t.Fatalf("Inc = %d, %v", sum, err)
	}
	must(t, b.Set(ctx, "go-text", []byte("text"), time.Hour))
	out, err := exec.Command(interpreter, script, addr).Output()
	if err != nil {
		t.Logf("%s: not installed, or failed: %v", script, err)
		return c, false
	}
	must(t, json.Unmarshal(out, &c))
	if value, _, err := b.Get(ctx, "go-number"); string(value) != c.Counts || err != nil {
		t.Errorf("%s counted to %s, Get = %q, %v", c.Client, c.Counts, value, err)
	}
	c.Stored = map[string]storedItem{}
	for _, name := range []string{"number", "counter", "text"} {
		it, err := b.one(ctx, wire.OpGet, wire.Item{Key: name})
		if !it.OK || err != nil {
			t.Errorf("%s: %s is not stored: %v", c.Client, name, err)
		}
		c.Stored[name] = storedItem{it.Flags, hex.EncodeToString(it.Value)}
	}
	if sum, err := b.Inc(ctx, "counter", 1, 0); sum != 8 || err != nil {
		t.Errorf("Inc of the counter of %s = %d, %v", c.Client, sum, err)
	}
	return c, true
}

// startMemcached starts a server on a free port.
func startMemcached(t *testing.T, server string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr = l.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	l.Close()
	cmd := exec.Command(server, "-u", "root", "-l", "127.0.0.1", "-p", port)
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	waitFor(t, "memcached", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return addr
}
