package stores

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"strconv"
	"sync"

	"github.com/cachebackends/cachebackends/uwsgi"

	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// Uwsgi are the clients of a uWSGI server.
var Uwsgi = Kind{Missing: uwsgiServer.missing, Start: uwsgiServer.start, Peers: []Peer{
	{Name: "uwsgi", Lacks: "nothing", Ours: true, open: func(addr string) (store, error) {
		return through(uwsgi.New(ctx, uwsgi.Options{Addr: addr}))
	}},
	{Name: "raw-uwsgi", Lacks: "all but the bytes of one connection per request; a batch is a loop", open: openRawUwsgi},
}}

// rawUwsgi is the address and the buffer of one caller.
type rawUwsgi struct {
	addr   string
	buffer [4096]byte
}

func openRawUwsgi(addr string) (store, error) {
	callers := sync.Pool{New: func() any { return &rawUwsgi{addr: addr} }}
	as := func(use func(c *rawUwsgi) error) error {
		c := callers.Get().(*rawUwsgi)
		defer callers.Put(c)
		return use(c)
	}
	return singles(
		func(key string) (value []byte, err error) {
			return value, as(func(c *rawUwsgi) error {
				answer, err := c.ask(nil, "cmd", "get", "key", key)
				value = append([]byte(nil), answer...)
				return err
			})
		},
		func(key string, value []byte) error {
			return as(func(c *rawUwsgi) error {
				_, err := c.ask(value, "cmd", "update", "key", key, "size", strconv.Itoa(len(value)), "expires", strconv.Itoa(int(workload.Life.Seconds())))
				return err
			})
		},
		func(key string) error {
			return as(func(c *rawUwsgi) error {
				_, err := c.ask(nil, "cmd", "del", "key", key)
				return err
			})
		},
		func() {},
	), nil
}

// ask sends pairs of names and texts and a value, and returns the value of the
// answer, which is what follows its head.
func (c *rawUwsgi) ask(value []byte, texts ...string) ([]byte, error) {
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	data := append(c.buffer[:0], 111, 0, 0, 17)
	for _, text := range texts {
		data = binary.LittleEndian.AppendUint16(data, uint16(len(text)))
		data = append(data, text...)
	}
	binary.LittleEndian.PutUint16(data[1:], uint16(len(data)-4))
	if _, err := conn.Write(append(data, value...)); err != nil {
		return nil, err
	}
	n, err := io.ReadAtLeast(conn, c.buffer[:], 4)
	if err == io.EOF {
		return nil, os.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	head := 4 + int(binary.LittleEndian.Uint16(c.buffer[1:]))
	return c.buffer[min(head, n):n], nil
}
