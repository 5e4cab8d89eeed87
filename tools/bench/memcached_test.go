package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

type memcachedInspector struct{ rawMemcached }

func inspectMemcached(t *testing.T, addr string) inspector {
	c, err := dialRawMemcached(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.conn.Close() })
	return memcachedInspector{c}
}

func (m memcachedInspector) delete(_ *testing.T, key string) { m.deleteMany([]string{key}) }

func (m memcachedInspector) ttl(_ *testing.T, key string) (left time.Duration) {
	fmt.Sscanf(m.ask("mg " + key + " t")[0], "HD t%d", &left)
	return left * time.Second
}

func (m memcachedInspector) executed(_ *testing.T, op string) (count int) {
	for _, line := range m.ask("stats") {
		fmt.Sscanf(line, "STAT cmd_"+op+" %d", &count)
	}
	return count
}

// ask returns the lines of an answer.
func (m memcachedInspector) ask(command string) []string {
	m.WriteString(command + "\r\nmn\r\n")
	var lines []string
	for {
		line, err := m.answer()
		if err != nil || string(line) == "MN" {
			return append(lines, "")
		}
		lines = append(lines, strings.Clone(string(line)))
	}
}
